"""A plugin whose descriptors are all taken from it."""

from __future__ import annotations

# The numbers of all descriptors become those of a file of the plugin's own, which must not change.
PLUGIN = """
import os, sys
from synapse_stream import open_run
with open_run("job-1") as run:
    run.log_message("before")
    assert run.flush(30)
    own = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    high = os.dup2(own, 400)
    os.closerange(3, 400)
    for number in range(3, 400):
        os.dup2(high, number)
    for text in range(5):
        run.log_message(f"after {text}")
    assert run.flush(30)
    assert all(os.fstat(number).st_ino == os.fstat(high).st_ino for number in range(3, 60))
    os.closerange(3, 400)
    run.log_message("later")
    assert run.flush(30)
    own = [os.open(sys.argv[1], os.O_RDWR) for _ in range(60)]
for number in own:
    os.fstat(number)
"""
