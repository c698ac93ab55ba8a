"""The commands that read jobs."""
