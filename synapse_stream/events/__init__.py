"""The events of a run: from what a plugin passes to bytes, and from bytes to models. Pure."""
