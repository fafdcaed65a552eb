"""One trial of a study: composed, made a Hydra job, run in its slot, its reports answered."""
