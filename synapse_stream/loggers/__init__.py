"""Where reports go: the job's stream, a terminal, several places at once, nowhere, or a foreign object."""
