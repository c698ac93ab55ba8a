"""The archive's pure part: how entries become blocks, and what a job's manifest counts."""
