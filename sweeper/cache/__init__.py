"""Results that cost time to compute, kept on disk and shared by every process of the machine."""
