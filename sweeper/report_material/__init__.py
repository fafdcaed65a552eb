"""What a report shows and only data and network can tell: made in a process with TensorFlow."""
