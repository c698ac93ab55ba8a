"""From the spool to the log: batches, chains, and what a server may answer."""
