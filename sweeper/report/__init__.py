"""The results of studies, read from their folders."""
