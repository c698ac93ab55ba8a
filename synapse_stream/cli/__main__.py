"""`python -m synapse_stream.cli`: the command where no script is installed."""

from synapse_stream.cli import main

main()
