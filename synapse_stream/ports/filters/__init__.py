"""Which runs are wanted and in which order: one language for HTTP, Python and the command line."""
