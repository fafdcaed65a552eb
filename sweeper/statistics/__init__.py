"""Intervals and comparisons: what of a difference may be chance."""
