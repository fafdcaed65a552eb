"""Imported by the fork server: what a trial's process would import when it first needs it."""

# what a picture is written with
import PIL.ImageDraw
import PIL.ImageFont
import PIL.ImageOps
import PIL.PngImagePlugin  # noqa: F401
