"""Metric history: every point of every metric."""
