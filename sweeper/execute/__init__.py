"""Where trials run. Knows neither Optuna nor Keras."""
