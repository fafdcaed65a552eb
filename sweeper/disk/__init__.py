"""Files and locks on a disk that may be shared, full or slow."""
