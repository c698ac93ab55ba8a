"""The fault plan of the live streams: `python -m tests.resilience` runs it behind the others.

A real API process, a real server and real sockets. What each client has got in the end is compared,
byte for byte, with what the job's stream holds.
"""
