"""What follows a search: its best trials are run again with other seeds, and the best mean wins."""
