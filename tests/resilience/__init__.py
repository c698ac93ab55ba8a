"""The fault plan: real processes, real servers, real faults, counted.

`python -m tests.resilience` runs all of it and prints one table; `pytest tests/resilience` runs a
seeded part of each scenario.
"""
