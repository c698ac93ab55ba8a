"""`synapse-stream hold`, `release` and `sign-off`, as operators use them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.event_log import open_log
from tests.support import events
from tests.support.anchoring import private_key
from tests.support.chains import Chain
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said


def test_runs_are_held_listed_and_released(command: Callable[..., Said]) -> None:
    command("hold", "job-1", "--reason", "a lawsuit")
    labelled = command("hold", "--label", "team=legal", "--reason", "a study")
    both = command("hold", "--json").objects
    table = command("hold").out
    released = command("release", "job-1", "--reason", "settled")
    again = command("release", "job-1", "--reason", "settled")

    assert labelled.out == "every run labelled team=legal is held\n"
    assert [(held["job_id"], held["label"]) for held in both] == [
        *(("job-1", None), (None, "team=legal"))
    ]
    assert both[0]["act"]["reason"] == "a lawsuit"
    assert "a lawsuit" in table
    assert released.code == 0
    assert (again.code, "is not held" in again.err) == (1, True)
    assert len(command("hold", "--json").objects) == 1
    assert [act["act"] for act in command("trail", "--job", "job-1", "--json").objects] == [
        *("hold", "release")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("hold", "job-1"), "needs a --reason"),
        (("hold", "job-1", "--label", "a=b", "--reason", "x"), "name a JOB, or --label"),
        (("hold", "--label", "team", "--reason", "x"), "must be KEY=VALUE"),
        (("release", "--reason", "x"), "name a JOB, or --label"),
        (("sign-off", "job-1", "--as", "ada", "--meaning", "x"), "SIGN_OFF_KEY is not set"),
    ],
)
def test_what_lacks_something_is_wrong_use(
    command: Callable[..., Said], words: tuple[str, ...], said: str
) -> None:
    answer = command(*words)

    assert answer.code == 2
    assert said in answer.err
    assert command("trail").out == "Nothing was done\n"


def test_a_run_is_signed_off_and_verify_tells_of_it(
    command: Callable[..., Said],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = tmp_path / "ada.pem"
    key.write_text(private_key().get_secret_value())
    monkeypatch.setenv("SYNAPSE_STREAM_SIGN_OFF_KEY", f"@{key}")
    words = ("sign-off", "job-1", "--as", "ada", "--meaning", "reviewed")
    chain = Chain("job-1")
    with closing(open_log(settings)) as log:
        log.append(chain.add(events.started()))
        early = command(*words)
        log.append(chain.add(events.ended(count=2)))
    project(settings)
    (made,) = command(*words, "--json").objects
    monkeypatch.setenv("SYNAPSE_STREAM_SIGN_OFF_KEYS", made["key"])
    verified = command("verify", "job-1")

    assert (early.code, "goes on" in early.err) == (1, True)
    assert made["entries"] == 2
    assert "signed off by ada" in verified.out
    assert "is one of SYNAPSE_STREAM_SIGN_OFF_KEYS" in verified.out
    assert [act["outcome"] for act in command("trail", "--json").objects] == ["failed", "done"]
