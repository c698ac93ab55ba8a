"""The audit's pure part: recorded entries in, findings out; no clock, no I/O, no logging."""
