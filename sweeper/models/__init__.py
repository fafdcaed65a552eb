"""Backbones, blocks, heads. TensorFlow; imported inside trial processes only."""
