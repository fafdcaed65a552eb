"""Winners of several studies side by side, where they were judged on the same images."""
