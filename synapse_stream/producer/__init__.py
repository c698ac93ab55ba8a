"""From a report call to the log: the spool keeps what was accepted, the shipper sends it."""
