"""Where images come from: every kind of data set, and what is found in it."""
