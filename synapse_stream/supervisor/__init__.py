"""Processes that belong together: started in order, started again when one dies, stopped in order.

A child has a session of its own, so that Ctrl-C reaches the supervisor alone, and a leash, so that
none outlives it.
"""
