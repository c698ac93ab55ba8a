"""What plugin authors touch: a run is opened, reported to, and ended."""
