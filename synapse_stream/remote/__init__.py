"""A deployment behind its HTTP API; the only room that imports urllib3."""
