"""The application: what ``python -m sweeper`` fine-tunes, alone or around the trials of a study.

Trials alone import TensorFlow.
"""
