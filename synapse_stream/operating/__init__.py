"""Looking after a deployment: how far projections are, and what may be trimmed."""
