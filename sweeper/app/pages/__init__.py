"""What a person reads in the folder of a study and on its MLflow page."""
