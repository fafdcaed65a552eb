"""Before the first trial: what is checked, fetched, planned and proposed."""
