"""From the bytes of an image file to its pixels, or to what its header says."""
