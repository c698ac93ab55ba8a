"""The consumer processes: `python -m consumers run-state|metric-history|message-feed|archive|all`.

A view that another package brings is run by its name, too, and is among `all`. `notary` signs what
is archived: it is no projection, and alone needs the signing key.

Any number of each, on any number of machines: they share the partitions among them. SIGTERM and
Ctrl-C finish the turn and give the leases back.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from consumers import views
from consumers.audit.signing import NotaryLoop, voucher_of
from consumers.logs import write_logs
from consumers.projector.loop import Projector
from consumers.projector.trimmer import TrimLoop
from consumers.store.engine import WRITER_CACHE_BYTES
from consumers.store.store import Store
from consumers.views.opening import open_databases
from synapse_stream.errors import ConfigError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.trimming import TrimLog
from synapse_stream.settings import Settings
from synapse_stream.system.signals import on_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.views.port import View


_logger = logging.getLogger("synapse_stream.consumers")

_LAST_TURN_SECONDS = 10.0
_NOTARY = "notary"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the projections named on the command line until a signal comes.

    Returns:
        Exit status: 0 after a signal, 2 when the settings or the name are wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m consumers", description=__doc__)
    parser.add_argument("projection", help="the name of one, all, or notary")
    chosen = parser.parse_args(arguments).projection
    spare_collector()
    write_logs(chosen)
    stop = threading.Event()
    on_signals(lambda _: stop.set(), signal.SIGTERM, signal.SIGINT)
    try:
        settings = Settings.load()
        if chosen == _NOTARY:
            NotaryLoop(settings).run(stop)
            return 0
        _run([views.find(name) for name in _named(chosen)], settings, stop)
    except ConfigError as error:
        print(f"python -m consumers: {error}", file=sys.stderr)  # noqa: T201 - our own output
        return 2
    return 0


def _named(chosen: str) -> Sequence[str]:
    """Return what is to be projected; what another package does wrong is said, and stops nobody."""
    if chosen != "all":
        return [chosen]
    for fault in views.faults().values():
        _logger.error("%s", fault)
    return views.names()


def spare_collector() -> None:
    """Have Python look for cycles seldom: events and folds have none, and are many."""
    gc.set_threshold(50_000, 20, 100)


def _run(chosen: list[View], settings: Settings, stop: threading.Event) -> None:
    """Drive each projection in a thread of its own; the first that fails stops all.

    Rules of another package that do not come to an end keep nobody from ending.
    """
    store = Store(open_databases(settings, cache_bytes=WRITER_CACHE_BYTES))
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    failures: list[BaseException] = []

    def drive(part: Projector | TrimLoop) -> None:
        try:
            part.run(stop)
        except BaseException as failure:  # noqa: BLE001 - raised again by the main thread
            failures.append(failure)
            stop.set()

    threads = [
        threading.Thread(target=drive, args=(part,), name=name, daemon=view.is_installed)
        for view in chosen
        for name, part in parts_of(view, store, settings, owner)
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(_LAST_TURN_SECONDS if thread.daemon else None)
    store.close()
    if failures:
        raise failures[0]


def parts_of(
    view: View, store: Store, settings: Settings, owner: str
) -> Iterator[tuple[str, Projector | TrimLoop]]:
    """Yield what drives a projection; with the record goes what trims."""

    def open_log() -> FeedLog:
        return FeedLog.open(settings)

    if not view.is_record:
        yield view.name, Projector(view, store, open_log, settings, owner=owner)
        return
    yield view.name, Projector(view, store, open_log, settings, owner=owner)
    vouch = voucher_of(store.databases)
    yield (
        "trimming",
        TrimLoop(store, lambda: TrimLog.open(settings), settings, owner=owner, vouch=vouch),
    )


if __name__ == "__main__":
    sys.exit(main())
