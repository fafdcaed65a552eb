"""What a person sees on the screen while a command runs, and how it is written."""
