"""What readers are shown of a run, and whether what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from synapse_stream.entries.position import Position
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import CompletenessStatus
from synapse_stream.reading.stream import JobStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.ports.views.run_state import Attempt, RunState
    from synapse_stream.settings import Settings
    from tests.support.scenes.audit import Tally
    from tests.support.scenes.report import Result
    from tests.support.scenes.scene import Scene

_END = Position(2**62, 0)
_SAYING = {CompletenessStatus.INCOMPLETE, CompletenessStatus.SHED}


def shown(settings: Settings, job: str) -> Attempt | None:
    """Return what readers are shown of a job's latest attempt."""
    state = folded(settings, job)
    return state.latest if state else None


def folded(settings: Settings, job: str) -> RunState | None:
    """Return the run state of all that is in the job's stream now."""
    return JobStream(job, settings).state(at=_END)


def see_alive(result: Result, settings: Settings, job: str) -> None:
    """See that a living run is not shown as ended."""
    attempt = shown(settings, job)
    if attempt is not None and attempt.status.is_terminal:
        result.tally.blame("failed", f"{job} lives and is shown {attempt.status}: {attempt.error}")


def see_completed(result: Result, settings: Settings, job: str) -> None:
    """See that a run that ended well is shown so, as one attempt that is whole."""
    state = folded(settings, job)
    attempt = state.latest if state else None
    if state is None or attempt is None or attempt.status is not RunStatus.COMPLETED:
        said = attempt and (attempt.status, attempt.error)
        result.tally.blame("failed", f"{job} ended well and is shown {said}")
        return
    result.require(attempt.number == 1, f"{job} has {attempt.number} attempts")
    completeness = attempt.completeness
    is_whole = completeness.status is CompletenessStatus.COMPLETE
    result.require(is_whole, f"{job} is whole and is shown {completeness}")


def see_missing_said(tally: Tally, settings: Settings, job: str) -> None:
    """Count what is missing without any loss that tells of it, or in a run shown as whole."""
    if not tally.missing:
        return
    stories = tally.stories.values()
    said = sum(story.shed.total() + sum(map(len, story.ranges)) for story in stories)
    unsaid = len(tally.missing) - said
    attempt = shown(settings, job)
    if attempt is None or attempt.completeness.status not in _SAYING:
        status = attempt and attempt.completeness
        which = f"{sorted(tally.missing)[:3]} …"
        tally.blame("unsaid", f"{job}: {which}, and it is shown {status}", len(tally.missing))
    elif unsaid > 0 and not any(story.is_uncounted for story in stories):
        tally.blame("unsaid", f"{job}: {unsaid} more than its losses tell of", unsaid)


@contextmanager
def hammered(scene: Scene, result: Result) -> Iterator[None]:
    """Adopt without rest beside what is done; require that it went on to the end."""
    adopter = subprocess.Popen(
        [sys.executable, "-m", "tests.resilience.places.hammer"],
        env=scene.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield
    except BaseException:
        adopter.kill()
        raise
    finally:
        rounds, errors = adopter.communicate("enough")
    result.require(rounds.strip().isdigit(), f"the adopter ended early: {errors[-500:]}")
    result.notes.append(f"{rounds.strip()} rounds of an adopter beside it")
