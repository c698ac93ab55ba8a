"""Runs that other libraries keep in files, as jobs: every point with its own time, bit by bit."""
