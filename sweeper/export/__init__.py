"""A saved classifier as files for other programs, each run and compared with the original.

A format is an entry of :data:`sweeper.export.file_formats.FORMATS`: how it is written, how it is
run, and how far its probabilities may lie from those of the original.
"""
