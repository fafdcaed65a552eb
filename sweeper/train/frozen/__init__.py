"""What frozen layers make of images, kept for all trials of the machine."""
