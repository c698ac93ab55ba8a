"""The pure projections, one a file: events in, changes out; no clock, no I/O, no logging."""
