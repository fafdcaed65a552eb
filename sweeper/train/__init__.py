"""The trial: two phases, loss check, plots. TensorFlow; inside trial processes only."""
