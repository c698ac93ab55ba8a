"""An adopter that never rests: `python -m tests.resilience.places.hammer`, until its input ends.

Settings come from the environment. It writes the number of its rounds to its output at the end.
"""

from __future__ import annotations

import select
import sys

from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.settings import Settings


def main() -> None:
    """Adopt whatever there is, again and again."""
    settings = Settings.load()
    rounds = 0
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        adopt_all(settings, lambda: open_log(settings))
        rounds += 1
    print(rounds)


if __name__ == "__main__":
    main()
