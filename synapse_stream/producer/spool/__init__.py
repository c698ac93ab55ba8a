"""The spool: what was accepted is in files until the server surely has it."""
