"""Signals are told where a lock may be taken."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from synapse_stream.system.signals import on_signals
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = (signal.SIGUSR1, signal.SIGUSR2)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in BOTH]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)


def test_a_signal_may_come_while_the_main_thread_holds_the_lock_that_it_needs() -> None:
    lock = threading.Lock()
    told: list[int] = []

    def tell(number: int) -> None:
        with lock:
            told.append(number)

    on_signals(tell, *BOTH)
    with lock:
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGUSR1)
        assert told == []

    wait_until(lambda: told == [signal.SIGUSR2, signal.SIGUSR1])


def test_a_signal_that_does_not_wake_the_main_thread_is_told_at_once() -> None:
    told = threading.Event()
    on_signals(lambda _: told.set(), *BOTH)
    elsewhere = threading.Timer(0.2, signal.raise_signal, [signal.SIGUSR1])
    elsewhere.start()  # to the thread that raises it: the main thread goes on waiting

    assert told.wait(30)
    elsewhere.join()
