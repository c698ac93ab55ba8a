"""What Synapse Stream costs and carries, measured against what users would write instead."""
