"""Imported first by what starts a process: Python's collector of cycles runs less often.

Importing TensorFlow, Keras and MLflow makes some millions of objects that stay, and collecting
among them again and again is a sixth of the time that it takes. Tracing functions makes as many.
"""

import gc

gc.set_threshold(10_000)
