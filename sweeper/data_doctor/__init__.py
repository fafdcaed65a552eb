"""What is wrong with a data set, found before anything trains on it; nothing of it is changed."""
