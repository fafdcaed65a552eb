"""Slots at work: trials, and reruns of the best ones."""
