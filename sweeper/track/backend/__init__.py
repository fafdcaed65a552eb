"""MLflow itself: its store, and what a run, a model and a data set are there."""
