"""Bars of the real tqdm, as progress of a run."""

from __future__ import annotations

import io
from typing import Any

import pytest
import tqdm.std
from tqdm.auto import tqdm as auto

from synapse_stream import RuntimeContext
from synapse_stream.integrations import tqdm as bridge
from synapse_stream.integrations.current import Current
from tests.support.recording import RecordingLogger


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> RecordingLogger:
    logger = RecordingLogger()
    monkeypatch.setattr(bridge, "_CURRENT", Current(RuntimeContext(logger, {})))
    return logger


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("refresh", "close"):
        monkeypatch.setattr(tqdm.std.tqdm, name, getattr(tqdm.std.tqdm, name))
    bridge.install()
    bridge.install()


def progress(kept: RecordingLogger) -> list[tuple[str | None, Any, Any]]:
    return [
        (event.step, event.fields["current"], event.fields["total"])
        for event in kept.events
        if event.kind == "progress"
    ]


def test_a_bar_reports_when_it_is_drawn_and_closed(kept: RecordingLogger) -> None:
    shown = io.StringIO()
    for _ in bridge.trange(3, desc="fit", file=shown, mininterval=0, miniters=1):
        pass

    assert progress(kept) == [("fit", 0, 3), ("fit", 1, 3), ("fit", 2, 3), ("fit", 3, 3)]
    assert "3/3" in shown.getvalue()


def test_a_bar_without_a_total_reports_its_end_and_one_that_grows_its_own(
    kept: RecordingLogger,
) -> None:
    with bridge.tqdm(iter("abc"), file=io.StringIO()) as bar:
        list(bar)
    with bridge.tqdm(total=2, file=io.StringIO()) as bar:
        bar.update(5)

    assert progress(kept)[0] == ("progress", 3, 3)
    assert progress(kept)[-1] == ("progress", 5, 5)


def test_a_disabled_bar_reports_nothing_and_a_closed_one_nothing_more(
    kept: RecordingLogger,
) -> None:
    list(bridge.tqdm("abc", disable=True))
    bar = bridge.tqdm("abc", file=io.StringIO())
    bar.close()
    reported = len(progress(kept))
    bar.close()

    assert len(progress(kept)) == reported == 1


@pytest.mark.usefixtures("installed")
def test_installed_every_bar_reports_once_even_our_own(kept: RecordingLogger) -> None:
    for make in (tqdm.std.tqdm, auto, bridge.tqdm):
        bar = make("ab", desc=make.__module__, file=io.StringIO(), mininterval=0, miniters=1)
        list(bar)
        steps = [step for step, _, _ in progress(kept)]
        assert steps.count(make.__module__) == 3, make
