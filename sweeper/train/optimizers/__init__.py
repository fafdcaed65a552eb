"""Optimizers, learning rates over a phase, and when a phase stops."""
