"""Pictures of a trial."""
