"""Live streams: one reader of the feeds a process, each event encoded once, any number of clients.

A thread reads the feeds (`reader`), folds and encodes what is new of each watched job (`tracker`),
and hands the frames to that job's `channel` in the event loop, from where all clients take them.
A client that is behind its channel reads the job's stream itself (`catch_up`) until it meets it.
"""

from consumers.api.live.hub import Hub
from consumers.api.live.routes import router

__all__ = ["Hub", "router"]
