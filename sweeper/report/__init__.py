"""What studies came to, read from their folders."""
