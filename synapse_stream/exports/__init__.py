"""Runs in open formats: exact copies that can be imported again, and extracts for other tools."""
