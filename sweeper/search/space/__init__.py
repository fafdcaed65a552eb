"""The search space: how it is written, which cases hold, its corners."""
