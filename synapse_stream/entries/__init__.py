"""What stands in the streams: entries, batches, positions and keys. Pure, and without redis."""
