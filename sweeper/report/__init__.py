"""What a person reads after a sweep."""
