"""The study: search space, trials in slots, progress. Knows neither Keras nor MLflow."""
