"""What is fresh in an entry, and how it is folded. Pure: no clock, no I/O, no logging."""
