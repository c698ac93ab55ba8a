"""The consumer processes: `python -m consumers run-state|metric-history|message-feed|archive|all`.

Any number of each, on any number of machines: they share the partitions among them. SIGTERM and
Ctrl-C finish the turn and give the leases back.
"""

from __future__ import annotations

import argparse
import gc
import os
import secrets
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from consumers.logs import write_logs
from consumers.projector.loop import Projector
from consumers.projector.trimmer import TrimLoop
from consumers.store.databases import Databases
from consumers.store.engine import WRITER_CACHE_BYTES
from consumers.store.store import Store
from consumers.views import PROJECTIONS as VIEWS
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.errors import ConfigError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.trimming import TrimLog
from synapse_stream.settings import Settings
from synapse_stream.system.signals import on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.folding.port import JobView

    Projection = type[JobView | ArchiveFold]

PROJECTIONS: dict[str, Projection] = {**VIEWS, ArchiveFold.name: ArchiveFold}
"""Name → what this program can run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the projections named on the command line until a signal comes.

    Returns:
        Exit status: 0 after a signal, 2 when the settings are wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m consumers", description=__doc__)
    parser.add_argument("projection", choices=[*PROJECTIONS, "all"])
    chosen = parser.parse_args(arguments).projection
    spare_collector()
    write_logs(chosen)
    stop = threading.Event()
    on_signals(lambda _: stop.set(), signal.SIGTERM, signal.SIGINT)
    try:
        settings = Settings.load()
        views = list(PROJECTIONS.values()) if chosen == "all" else [PROJECTIONS[chosen]]
        _run(views, settings, stop)
    except ConfigError as error:
        print(f"python -m consumers: {error}", file=sys.stderr)  # noqa: T201 - our own output
        return 2
    return 0


def spare_collector() -> None:
    """Have Python look for cycles seldom: events and folds have none, and are many."""
    gc.set_threshold(50_000, 20, 100)


def _run(views: list[Projection], settings: Settings, stop: threading.Event) -> None:
    """Drive each projection in a thread of its own; the first that fails stops all.

    The archive comes with a thread that trims what it holds.
    """
    store = Store(Databases(settings, cache_bytes=WRITER_CACHE_BYTES))
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    failures: list[BaseException] = []

    def drive(part: Projector | TrimLoop) -> None:
        try:
            part.run(stop)
        except BaseException as failure:  # noqa: BLE001 - raised again by the main thread
            failures.append(failure)
            stop.set()

    parts: dict[str, Projector | TrimLoop] = {
        view.name: Projector(view, store, lambda: FeedLog.open(settings), settings, owner=owner)
        for view in views
    }
    if ArchiveFold.name in parts:
        trim_loop = TrimLoop(store, lambda: TrimLog.open(settings), settings, owner=owner)
        parts["trimming"] = trim_loop
    threads = [
        threading.Thread(target=drive, args=(part,), name=name) for name, part in parts.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    sys.exit(main())
