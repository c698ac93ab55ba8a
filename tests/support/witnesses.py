"""Witnesses that run in this process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_stream.tlog.asking import KnownWitness
from synapse_stream.tlog.serving import WitnessServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.tlog.witness import Witness


@contextmanager
def serving(witness: Witness) -> Iterator[KnownWitness]:
    """Have a witness answer."""
    with WitnessServer(witness, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield KnownWitness(witness.key, server.url)
        finally:
            server.shutdown()
            thread.join()
