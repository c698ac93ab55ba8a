"""The fault plan of the consumers: `python -m tests.resilience` runs it behind the producers'.

Real consumer processes, a real server, real databases. What the views hold in the end is compared,
byte for byte, with a fresh fold of the streams.
"""
