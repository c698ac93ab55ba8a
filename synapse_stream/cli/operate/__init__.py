"""The commands that look after a deployment."""
