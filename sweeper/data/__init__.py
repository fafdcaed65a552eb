"""Sources to batches. TensorFlow; imported inside trial processes only."""
