"""Every way in which a process with an open run ends, on each interpreter that is here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_stream.reading.stream import JobStream
from tests.resilience.places import interpreters
from tests.resilience.places.ending_cases import ANY, ENDINGS, Ending
from tests.resilience.places.judge import folded, shown
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from random import Random

    from synapse_stream.ports.views.run_state import Attempt

_AS_USUAL = ("env", "--default-signal=INT,HUP,TERM")  # whoever starts this may ignore some
_ROOT = Path(__file__).parents[3]


def all_endings(home: Path, count: int, random: Random) -> Result:
    """All of them on each interpreter, or `count` of them on this one if it is not 0."""
    pythons = interpreters.ready()
    chosen = random.sample(ENDINGS, count) if count else ENDINGS
    result = Result("endings", 0)
    if lacking := interpreters.lacking():
        result.notes.append(lacking)
    with TestServer(home / "server") as server:
        for version, python in sorted(pythons.items()):
            for number, ending in enumerate(chosen):
                place = home / version / str(number)
                with Scene(place, server.url, namespace=f"n{version}-{number}") as scene:
                    result.planned += 1
                    found = play(scene, ending, python)
                    result.happened += found != "void"
                    result.tally.events += 2 + ending.messages
                    result.require(not found, f"{version} {ending.name}: {found}")
            if count:
                break
    return result


def play(scene: Scene, ending: Ending, python: str) -> str:
    """Play one; return what is wrong, or nothing."""
    script = scene.home / "plugin.py"
    script.write_text(ending.script)
    process = subprocess.Popen(
        [*_AS_USUAL, python, script, "job"],
        env={**scene.environ, "PYTHONPATH": str(_ROOT)},
        cwd=scene.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _send_signals(scene, ending, process)
        _, errors = process.communicate("go on\n", timeout=60)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"{error}"[:300]
    finally:
        process.kill()
        process.communicate()
    if ending.is_adopted:
        scene.adopt()
    return _judge(scene, ending, process.returncode, errors)


def _send_signals(scene: Scene, ending: Ending, process: subprocess.Popen[str]) -> None:
    for number, sent in enumerate(ending.signals):
        if number == 0:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        else:
            wait_until(lambda: _is_ended(shown(scene.settings, "job")), 20)
        process.send_signal(sent)


def _is_ended(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.status.is_terminal


def _judge(scene: Scene, ending: Ending, code: int, errors: str) -> str:
    """Return what is wrong, or nothing."""
    if ending.code is not ANY and code != ending.code:
        return f"exit status {code}: {errors[-400:]}"
    state = folded(scene.settings, "job")
    if state is None:
        return f"nothing is recorded: {errors[-400:]}"
    attempt = state.latest
    types = [recorded.event.type for recorded in JobStream("job", scene.settings).read()]
    is_told = ending.error is not None and ending.error in (attempt.error or "")
    wrong = {
        f"is shown {attempt.status}, {attempt.error}": attempt.status is not ending.status,
        f"error {attempt.error!r}": not is_told and attempt.error != ending.error,
        f"{len(state.attempts)} attempts": len(state.attempts) != ending.attempts,
        f"{types} hold no {ending.messages}": types.count("message") != ending.messages,
    }
    return "; ".join(words for words, is_wrong in wrong.items() if is_wrong)
