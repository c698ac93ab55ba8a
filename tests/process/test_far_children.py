"""Children that do not reach the directories of the process that opened their run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream
from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import Adopter

if TYPE_CHECKING:
    from synapse_stream.ports.views import Completeness
    from tests.support.leaving import Leaving

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")

BECOME = "os.setgid(12347); os.setuid(12347)"
UNSHARE = """
import ctypes
c = ctypes.CDLL(None, use_errno=True)
assert c.unshare(0x20000) == 0
assert c.mount(b"none", b"/", None, 0x4000 | 0x40000, None) == 0
for place in ("MEMORY_DIR", "DATA_DIR"):
    where = os.environ["SYNAPSE_STREAM_" + place].encode()
    assert c.mount(b"none", where, b"tmpfs", 0, None) == 0
"""
CHROOT = """
jail = os.environ["SYNAPSE_STREAM_DATA_DIR"] + "/jail"
os.mkdir(jail)
os.chroot(jail)
os.chdir("/")
"""
ELSEWHERE = """
for name in ("HOME", "XDG_DATA_HOME", "SYNAPSE_STREAM_DATA_DIR"):
    os.environ[name] = os.environ["SYNAPSE_STREAM_DATA_DIR"] + "-other"
ctx = open_run("job-1")
"""
EXECUTE = (
    "\nexec(in_child)\nfor number in range(200): ctx.log('child', {'number': number})\nos._exit(0)"
)


def script(in_parent: str = "", in_child: str = "", end: str = "ctx.end_log()") -> str:
    """Return a run whose child dies before anything of it can be sent."""
    indented = EXECUTE.replace("\n", "\n    ")
    return f"""
in_child = {in_child!r}
ctx = open_run("job-1")
ctx.flush()
{in_parent}
if os.fork() == 0:
{indented}
os.wait()
{end}
"""


def known(run: Leaving) -> Completeness:
    """Return what readers are told of the run's only attempt."""
    recorded = run.recorded()
    state = JobStream("job-1", run.settings).state(at=recorded[-1].position)
    assert state is not None
    (attempt,) = state.attempts
    return attempt.completeness


def adopt(run: Leaving) -> None:
    adopter = Adopter(run.settings, lambda: open_log(run.settings))
    adopter.adopt()
    adopter.release()


@pytest.mark.parametrize(
    ("in_parent", "in_child"),
    [
        pytest.param(BECOME, "", marks=as_root, id="behind a change of user"),
        pytest.param("", BECOME, marks=as_root, id="another user"),
        pytest.param(
            "", f"os.closerange(3, 4096); {BECOME}", marks=as_root, id="and without descriptors"
        ),
        pytest.param("", ELSEWHERE, id="its own settings"),
    ],
)
def test_the_end_of_a_run_sends_what_they_left_wherever_it_is(
    run: Leaving, in_parent: str, in_child: str
) -> None:
    left = run(script(in_parent, in_child))

    assert left.types.count("log") == 200, left.stderr
    assert left.end.child_count == 1
    assert known(run).status == "complete"


@as_root
@pytest.mark.parametrize("in_child", [UNSHARE, CHROOT], ids=["other mounts", "another root"])
def test_those_whose_spool_nobody_sees_are_missed_by_name(run: Leaving, in_child: str) -> None:
    left = run(script(in_child=in_child))

    assert left.end.status == "completed", left.stderr
    assert left.end.children is not None
    (child,) = left.end.children
    missed = known(run)
    assert (missed.status, missed.waiting) == ("open", [child.producer])


@as_root
@pytest.mark.parametrize(("in_parent", "in_child"), [(BECOME, ""), ("", BECOME)])
def test_those_of_a_killed_run_are_sent_by_whoever_adopts_it(
    run: Leaving, in_parent: str, in_child: str
) -> None:
    left = run(script(in_parent, in_child, end="os.kill(os.getpid(), signal.SIGKILL)"))
    assert left.types == ["run_started"], left.stderr
    adopt(run)

    types = [found.event.type for found in run.recorded()]
    assert types.count("log") == 200
    assert types.count("producer_lost") == 2
    assert known(run).status == "complete"


@as_root
def test_one_that_outlives_its_run_is_waited_for_and_sent(run: Leaving) -> None:
    wait = "done, go = os.pipe(), os.pipe()"
    child = f"{BECOME}; ctx.log('first', {{}}); os.write(done[1], b'.'); os.read(go[0], 1)"
    end = "os.read(done[0], 1); ctx.end_log(); os.write(go[1], b'.'); os._exit(0)"
    left = run(script(wait, child, end).replace("os.wait()\n", "", 1))

    assert left.end.child_count == 1, left.stderr
    assert known(run).status == "open"
    adopt(run)
    assert [found.event.type for found in run.recorded()].count("log") == 201
    assert known(run).status == "complete"


@as_root
def test_what_another_user_has_made_up_is_not_sent(run: Leaving) -> None:
    """Only the children that a run of ours has named are looked for in others' memory."""
    stranger = f"{BECOME}\nctx = open_run('job-2')\n"
    run(f"os.environ.update(HOME='/nowhere')\n{stranger}ctx.log('x', {{}})\nos._exit(0)")
    run(script(in_child=BECOME))
    before = len(list(JobStream("job-2", run.settings).read()))
    adopt(run)

    assert known(run).status == "complete"
    assert len(list(JobStream("job-2", run.settings).read())) == before
