"""How long tests wait for what should happen soon: only what hangs takes longer."""

PATIENCE = 900
"""Seconds. Enough for a machine that is ten times slower and does other things too."""
