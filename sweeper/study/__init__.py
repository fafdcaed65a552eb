"""What happens around the trials of a study of fine-tunes. Trials alone import TensorFlow."""
