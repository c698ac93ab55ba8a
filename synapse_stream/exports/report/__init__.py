"""A run as one file of HTML: the deployment's own page, with its answers of now in it."""
