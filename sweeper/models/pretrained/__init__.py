"""Backbones and their weights: networks that were trained before, and where they come from."""
