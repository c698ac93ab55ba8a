"""A transparency log in the formats of C2SP: signed notes, checkpoints, tiles, proofs, witnesses.

It knows nothing of runs: an entry is bytes. See https://c2sp.org and RFC 9162.
"""
