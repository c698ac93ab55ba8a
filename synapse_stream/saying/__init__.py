"""What is said and shown to people, without raising or blocking."""
