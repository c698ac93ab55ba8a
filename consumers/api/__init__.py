"""The HTTP API and the page: `python -m consumers.api`."""
