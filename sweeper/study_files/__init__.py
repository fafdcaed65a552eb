"""What a study writes to its folder, and reads there: paths, results, predictions, lines."""
