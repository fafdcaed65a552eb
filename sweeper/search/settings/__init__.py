"""``hydra.sweeper``: what may stand there, samplers and pruners from it, tried before the study."""
