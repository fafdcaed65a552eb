"""From a model to the champion of a registered name in MLflow, if it is better beyond chance."""
