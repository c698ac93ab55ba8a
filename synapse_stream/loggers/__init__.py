"""Where reports go: the job's stream, a terminal, several places, nowhere, a foreign object."""
