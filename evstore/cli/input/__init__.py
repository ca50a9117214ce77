"""From flags and files to prepared events."""
