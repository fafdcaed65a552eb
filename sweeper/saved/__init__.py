"""A saved classifier: what it is, where it is found, what it says of images."""
