"""Message feed: what a job said."""
