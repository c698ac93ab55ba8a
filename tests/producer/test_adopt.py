"""Who takes over a spool, who does not, and what is said of those that stay."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_stream.events.encoding import encode
from synapse_stream.log.event_log import open_log
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.adoption.adopt import Adopter, Mandate, adopt_all
from synapse_stream.producer.adoption.left import LeftHome
from synapse_stream.producer.adoption.search import bury, names_in, own_pair, spools
from synapse_stream.producer.adoption.seat import Seat
from synapse_stream.producer.spool.children import ChildNote, note_child
from synapse_stream.producer.spool.mending import line
from synapse_stream.producer.spool.notes import claims
from synapse_stream.producer.spool.reserve import RESERVE
from synapse_stream.producer.spool.roots import roots_in
from synapse_stream.reading.stream import JobStream
from tests.support.dying import KILL, WAIT, die, live, named
from tests.support.raw import client_of
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.producer.adoption.rescue import Adoption
    from synapse_stream.settings import Settings

MESSAGES = ["message", "message"]
LOST = [*MESSAGES, "producer_lost"]
DOUBTED = [*MESSAGES, "loss", "producer_lost"]

_NOTHING: dict[str, object] = {
    "counts": {},
    "first": None,
    "last": None,
    "reason": "no room",
    "uncounted": True,
}
MISSING = line(1, 1, *encode("loss", None, _NOTHING))
_FAILED: dict[str, object] = {"status": "failed", "error": None, "result": None}
LAST = line(2, 1, b'"count":3,' + encode("end", None, _FAILED)[0])

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a matter of Linux")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may")


@pytest.fixture(params=["memory", "disk"])
def placed(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Let spools begin in shared memory, or be on disk only."""
    if request.param == "memory":
        return settings
    return settings.model_copy(update={"spool_memory_bytes": 0})


def adopter(settings: Settings, **mandate: object) -> Adopter:
    return Adopter(settings, lambda: open_log(settings), Mandate(**mandate))  # type: ignore[arg-type]


def types(settings: Settings) -> list[str]:
    return [recorded.event.type for recorded in JobStream("job-1", settings).read()]


def events(settings: Settings, kind: str) -> list[dict[str, object]]:
    found = [recorded.event for recorded in JobStream("job-1", settings).read()]
    return [event.model_dump() for event in found if event.type == kind]


def only(adoptions: list[Adoption]) -> Adoption:
    (adoption,) = adoptions
    return adoption


# dead for certain


def test_what_a_killed_process_left_is_sent_once_and_its_death_said(placed: Settings) -> None:
    die(placed)

    adoption = only(adopter(placed).adopt())
    assert (adoption.sent, adoption.waiting, adoption.is_lost) == (3, 0, True)
    assert types(placed) == LOST
    assert adopter(placed).adopt() == []
    assert adopt_all(placed, lambda: open_log(placed)) == []
    assert types(placed) == LOST


def test_a_living_process_is_left_alone(placed: Settings) -> None:
    process = live(placed)

    assert adopter(placed).adopt() == []
    assert adopter(placed, is_explicit=True, dead_hosts=[os.uname().nodename]).adopt() == []
    process.kill()
    process.communicate()
    assert only(adopter(placed).adopt()).sent == 3


@linux_only
def test_a_process_whose_descriptors_were_closed_lives(placed: Settings) -> None:
    process = live(
        placed, "os.closerange(3, 256)\n" + WAIT + "logger.log_message('three')\n" + KILL
    )

    assert adopter(placed).adopt() == []
    process.communicate()
    assert adopter(placed).adopt()[0].sent == 4
    assert types(placed) == ["message", *LOST]


@linux_only
def test_a_program_put_in_the_place_of_a_run_is_not_the_run(placed: Settings) -> None:
    """The pid and its start are the same after `exec`."""
    program = "print('ready', flush=True); import sys; sys.stdin.read()"
    process = live(placed, f"os.execv(sys.executable, ['python', '-c', {program!r}])\n")

    assert only(adopter(placed).adopt()).is_lost
    assert process.poll() is None
    process.communicate()


@linux_only
def test_a_zombie_is_dead(placed: Settings) -> None:
    process = live(placed)
    process.kill()
    wait_until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
    wait_until(lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1)

    assert only(adopter(placed).adopt()).is_lost
    process.communicate()


def test_a_forked_child_that_lives_on_does_not_keep_its_parent_alive(placed: Settings) -> None:
    then = "if os.fork():\n    sys.stdin.read()\n    " + KILL + "print('ready', flush=True)\n"
    process = live(placed, then + "time.sleep(9)\n")
    assert adopter(placed).adopt() == []
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait()

    assert only(adopter(placed).adopt()).is_lost
    process.stdout.close()


# not all of it is here


@pytest.mark.parametrize("home", [0, 1])
def test_half_a_spool_is_left_alone_and_sent_when_it_is_whole(
    settings: Settings, home: int
) -> None:
    homes = die(settings)
    away = homes[home].with_name(".away")
    homes[home].rename(away)

    adoption = only(adopter(settings).adopt())
    assert "a part of it is not here" in str(adoption.trouble)
    assert "--from-dead-host" in str(adoption.trouble)
    assert types(settings) == []

    away.rename(homes[home])
    assert only(adopter(settings).adopt()).sent == 3
    assert types(settings) == LOST


def test_half_a_spool_is_sent_when_its_host_does_not_come_back(settings: Settings) -> None:
    """With a word of what may be missing."""
    homes = die(settings)
    shutil.rmtree(homes[1])

    adoption = only(adopter(settings, is_explicit=True, dead_hosts=[os.uname().nodename]).adopt())
    assert (adoption.sent, adoption.is_lost) == (4, True)
    assert types(settings) == DOUBTED
    (loss,) = events(settings, "loss")
    assert loss["uncounted"] is True
    assert "taken over from" in str(loss["reason"])


def test_half_a_spool_is_sent_after_a_settable_time(settings: Settings) -> None:
    homes = die(settings)
    shutil.rmtree(homes[1])
    late = settings.model_copy(update={"adopt_unproved_seconds": 0.001})

    assert only(adopter(late).adopt()).is_lost
    assert types(settings) == DOUBTED


def test_what_the_server_has_more_of_is_not_given_up_when_the_time_is_over(
    settings: Settings,
) -> None:
    """Somebody may go on with it elsewhere: that shows, or does not, in the time that follows."""
    homes = die(settings, is_away=False)
    shutil.rmtree(homes[0])
    late = settings.model_copy(update={"adopt_unproved_seconds": 0.001, "heartbeat_seconds": 0.05})
    assert "not here" in str(only(adopter(late).adopt()).trouble)
    assert types(settings) == MESSAGES

    time.sleep(0.3)  # more than four heartbeats in which the server got nothing of it
    assert only(adopter(late).adopt()).is_lost
    assert types(settings) == DOUBTED


@pytest.mark.parametrize("is_put_back", [False, True])
def test_a_copy_of_a_data_directory_is_not_ours_to_send(
    settings: Settings, tmp_path: Path, is_put_back: bool
) -> None:
    on_disk = settings.model_copy(update={"spool_memory_bytes": 0})
    process = live(on_disk)
    copied = tmp_path / "copy"
    shutil.copytree(settings.spool_root, copied / "spool")
    if is_put_back:
        settings.spool_root.rename(tmp_path / "away")
        (copied / "spool").rename(settings.spool_root)
        elsewhere = on_disk
    else:
        elsewhere = on_disk.model_copy(update={"data_dir": copied})

    adoption = only(adopter(elsewhere).adopt())
    assert "it is a copy" in str(adoption.trouble)
    assert types(settings) == []
    process.kill()
    process.communicate()


def test_who_was_killed_before_the_homes_were_finished_left_nothing(settings: Settings) -> None:
    homes = die(settings, "logger = None\n" + KILL)
    for home in homes:
        for segment in home.glob("*.seg"):
            segment.unlink()
    homes[0].rename(homes[0].with_name(f".{homes[0].name}"))  # one is still a draft

    assert adopter(settings).adopt() == []
    assert types(settings) == []
    assert spools(settings) == {}


# it came back


@pytest.mark.parametrize("left", ["nothing", "loss", "garbage"])
def test_no_death_is_said_behind_an_end_that_only_the_server_has(
    settings: Settings, left: str
) -> None:
    """The disk was full, then away: the end was in memory, and what stood in for it says less."""
    on_disk = settings.model_copy(update={"spool_memory_bytes": 0})
    logger = StreamLogger("job-1", on_disk)
    logger.log_message("one")
    logger.log_message("two")
    logger.end_log()
    ((home,),) = spools(on_disk).values()
    wait_until((settings.spool_root / ".ended").exists)
    (settings.spool_root / ".ended").unlink()
    segment = home / "00000000.seg"
    lines = segment.read_bytes().splitlines(keepends=True)
    instead = {"nothing": b"", "garbage": b'{"seq":1,#\n'}
    instead["loss"] = MISSING
    segment.write_bytes(b"".join(lines[:1]) + (instead[left] if left == "garbage" else b""))
    (home / RESERVE).write_bytes(instead[left] if left == "loss" else b"")

    adoption = only(adopter(on_disk).adopt())
    assert (adoption.trouble, adoption.sent, adoption.waiting) == (None, 0, 0)
    assert types(settings) == [*MESSAGES, "end"]


@pytest.mark.parametrize("end", [b"", LAST], ids=["killed", "ended"])
def test_what_is_missing_is_said_behind_what_the_server_has_after_all(
    settings: Settings, end: bytes
) -> None:
    """The process sent what was in its memory, and was killed before it heard the answer."""
    on_disk = settings.model_copy(update={"spool_memory_bytes": 0})
    process = live(on_disk, is_away=False)
    process.kill()
    process.communicate()
    ((home,),) = spools(on_disk).values()
    (home / "00000000.seg").write_bytes(b"")
    (home / RESERVE).write_bytes(MISSING + end)

    assert only(adopter(on_disk).adopt()).is_lost == (not end)
    last = "end" if end else "producer_lost"
    assert types(settings) == [*MESSAGES, "loss", last]
    assert adopter(on_disk).adopt() == []
    if end:
        (said,) = events(settings, "end")
        assert said["count"] == 4


# its data directory is gone


def leave_in_memory(settings: Settings, then: str, *, is_away: bool = True) -> None:
    """Run a plugin whose data directory is deleted under it."""
    then = f"print('ready', flush=True)\nsys.stdin.read()\n{then}"
    process = live(settings, then, is_away=is_away)
    shutil.rmtree(settings.data_dir)
    process.communicate()
    assert all(names_in(root) for root in roots_in(settings.memory_dir))


def beside(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings of the same server and another data directory."""
    other = tmp_path_factory.mktemp("other")
    return settings.model_copy(update={"data_dir": other, "rewind_seconds": 0.001})


END = "logger.end_log()"


@linux_only
@pytest.mark.parametrize("is_away", [True, False])
def test_of_an_ended_run_everything_is_sent_and_no_memory_is_left(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, is_away: bool
) -> None:
    leave_in_memory(settings, END, is_away=is_away)
    elsewhere = beside(settings, tmp_path_factory)
    found = adopter(elsewhere).adopt()

    assert [one.sent for one in found] == [3] * is_away
    assert types(settings) == [*MESSAGES, "end"]
    assert roots_in(settings.memory_dir) == []


@linux_only
def test_of_a_killed_run_the_rest_is_sent_when_the_time_is_over_and_then_removed(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    leave_in_memory(settings, KILL)
    elsewhere = beside(settings, tmp_path_factory)
    assert adopter(elsewhere).adopt() == []
    assert types(settings) == []
    found = adopter(elsewhere, is_explicit=True, is_everywhere=True, only_looks=True).adopt()
    (named,) = [one for one in found if str(settings.memory_dir) in one.place]
    assert (named.waiting, "a part of it is not here" in str(named.trouble)) == (2, True)

    late = elsewhere.model_copy(update={"adopt_unproved_seconds": 0.001})
    assert only(adopter(late).adopt()).is_lost
    assert types(settings) == DOUBTED
    assert adopter(late).adopt() == []
    assert roots_in(settings.memory_dir) == []


@linux_only
def test_what_another_server_has_whole_is_removed_after_a_day_and_nothing_else(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, log: EventLog
) -> None:
    theirs = settings.model_copy(update={"namespace": f"{settings.namespace}2"})
    leave_in_memory(theirs, END, is_away=False)
    leave_in_memory(settings.model_copy(update={"redis_url": None}), END)
    elsewhere = beside(settings, tmp_path_factory)
    assert adopter(elsewhere).adopt() == []
    assert len(roots_in(settings.memory_dir)) == 2

    late = elsewhere.model_copy(update={"adopt_unproved_seconds": 0.001})
    assert adopter(late, is_explicit=True, is_everywhere=True, only_looks=True).adopt() != []
    assert len(roots_in(settings.memory_dir)) == 2
    assert adopter(late).adopt() == []
    (unsent,) = roots_in(settings.memory_dir)
    assert types(settings) == []

    again = settings.model_copy(update={"rewind_seconds": 0.001})  # where it was
    assert only(adopter(again).adopt()).sent == 3
    assert not unsent.exists()
    for key in client_of(log).execute_command("KEYS", f"{theirs.namespace}:*"):
        client_of(log).execute_command("DEL", key)


@linux_only
def test_a_living_run_whose_data_directory_is_gone_is_left_alone(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process = live(settings, WAIT + KILL)
    shutil.rmtree(settings.data_dir)
    late = beside(settings, tmp_path_factory).model_copy(update={"adopt_unproved_seconds": 0.001})

    assert adopter(late).adopt() == []
    assert adopter(settings).adopt() == []
    assert not settings.data_dir.exists()  # looking makes nothing
    process.communicate()
    assert only(adopter(late).adopt()).sent == 4


# whose it is


def run_without_a_server(settings: Settings) -> Settings:
    away = settings.model_copy(update={"redis_url": None})
    die(away)
    return away


def test_a_run_without_a_server_is_sent_to_the_one_that_is_set_later(settings: Settings) -> None:
    run_without_a_server(settings)

    assert only(adopter(settings).adopt()).sent == 3
    assert types(settings) == LOST


def test_a_run_for_another_server_waits_for_an_operator(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    die(elsewhere)

    adoption = only(adopter(settings).adopt())
    assert (adoption.sent, adoption.waiting) == (0, 2)
    assert "it was to go to" in str(adoption.trouble)
    assert types(settings) == []

    assert only(adopter(settings, is_explicit=True).adopt()).sent == 3
    assert types(settings) == LOST


def test_another_spelling_of_the_server_is_the_same_server(settings: Settings) -> None:
    url = str(settings.redis_url).replace("127.0.0.1", "localhost") + "/0"
    die(settings.model_copy(update={"redis_url": url}))

    assert only(adopter(settings).adopt()).sent == 3


def test_spools_of_another_deployment_are_never_sent_here(
    settings: Settings, log: EventLog
) -> None:
    """Also not by an operator, unless he says that this one took the other one's place."""
    other = settings.model_copy(update={"namespace": f"{settings.namespace}2"})
    homes = die(other, "logger._producer._lane.line.close()\n" + KILL, is_away=False)
    (theirs,) = claims(homes)
    assert theirs != log.check()
    with LeftHome(homes[-1]) as home:
        home.write("00000077.seg", b'{"seq":2,"time":1,"type":"message","v":1,"content":"3"}\n')

    for mandate in ({}, {"is_explicit": True}):
        adoption = only(adopter(settings, **mandate).adopt())
        assert f"it belongs to another deployment, {theirs}" in str(adoption.trouble)
        assert (adoption.sent, adoption.waiting) == (0, 1)
        assert types(settings) == []

    replaced = adopter(settings, is_explicit=True, deployments=[theirs])
    assert only(replaced.adopt()).waiting == 0
    assert types(settings) == ["message", *LOST]
    client_of(log).execute_command("DEL", f"{other.namespace}:config")
    for key in client_of(log).execute_command("KEYS", f"{other.namespace}:*"):
        client_of(log).execute_command("DEL", key)


def test_a_server_that_was_emptied_gets_everything_again(settings: Settings, log: EventLog) -> None:
    die(settings, is_away=False)
    client_of(log).execute_command("FLUSHALL")

    assert only(adopter(settings).adopt()).is_lost
    assert types(settings) == LOST


# what is odd stays, is named, and stops nobody


CONTENTS = {
    "damaged": b'{"format":2,"producer":',
    "later": b'{"format":99,"soul":"yes"}',
    "not text": b"\xff\0",
}


def odd(home: Path, how: str) -> None:
    description = home / "producer.json"
    if how == "a link":
        home.rename(home.with_name(".real"))
        home.symlink_to(".real")
        return
    description.unlink()
    if how == "a directory":
        description.mkdir()
    elif how == "a pipe":
        os.mkfifo(description)
    elif how != "gone":
        description.write_bytes(CONTENTS[how])


@pytest.mark.parametrize(
    "how", ["damaged", "later", "not text", "gone", "a directory", "a pipe", "a link"]
)
def test_an_odd_spool_is_named_and_the_others_are_sent(settings: Settings, how: str) -> None:
    homes = die(settings)
    for home in homes:
        odd(home, how)
    before = sorted(path.name for home in homes for path in home.iterdir())
    process = live(settings)
    process.kill()
    process.communicate()

    adoptions = adopter(settings).adopt()

    assert sorted(adoption.sent for adoption in adoptions) == [0, 3]
    (named,) = [adoption for adoption in adoptions if not adoption.job_id]
    assert named.trouble
    assert named.producer == homes[0].name
    if how == "later":
        assert "a later version wrote it" in named.trouble
    assert sorted(path.name for home in homes for path in home.iterdir()) == before


def test_no_link_in_a_spool_is_followed(settings: Settings, tmp_path: Path) -> None:
    """Who adopts may be root, and the spool somebody else's."""
    secret = tmp_path / "secret"
    secret.write_bytes(b'{"seq":2,"time":1,"type":"message","v":1,"content":"secret"}\n')
    homes = die(settings)
    (homes[-1] / "00000001.seg").symlink_to(secret)

    adoption = only(adopter(settings).adopt())
    assert adoption.trouble
    assert "secret" not in str(events(settings, "message"))
    assert secret.read_bytes().endswith(b'secret"}\n')


@as_root
def test_root_sends_what_another_user_left_and_leaves_it_his(settings: Settings) -> None:
    homes = die(settings)
    for home in homes:
        for path in (home, *home.iterdir()):
            os.chown(path, 4321, 4321)

    assert only(adopter(settings).adopt()).is_lost
    assert types(settings) == LOST
    left = [path for home in homes for path in home.iterdir()]
    assert {path.stat().st_uid for path in left} == {4321}


@as_root
def test_a_file_that_is_somebody_elses_is_not_read(settings: Settings) -> None:
    homes = die(settings)
    os.chown(homes[0] / "00000000.seg", 4321, 4321)

    assert "no plain file of the spool's owner" in str(only(adopter(settings).adopt()).trouble)
    assert types(settings) == []


def test_events_are_sent_even_where_the_death_cannot_be_written_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""
    die(settings)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(LeftHome, "write", refuse)
        adoption = only(adopter(settings).adopt())
    assert (adoption.sent, adoption.is_lost) == (2, False)
    assert "no room" in str(adoption.trouble)
    assert types(settings) == MESSAGES

    assert only(adopter(settings).adopt()).is_lost
    assert types(settings) == LOST


# many who look


def test_one_process_of_a_host_adopts_and_another_one_takes_the_seat(settings: Settings) -> None:
    settings.spool_root.mkdir(parents=True)
    first, second = adopter(settings), adopter(settings)
    assert first.adopt() == []
    die(settings)

    assert second.adopt() == []
    assert types(settings) == []
    first.release()
    assert only(second.adopt()).is_lost
    second.release()
    assert own_pair(settings).hot is not None or own_pair(settings).cold is not None


def test_who_sleeps_on_the_seat_is_not_waited_for(settings: Settings) -> None:
    settings.spool_root.mkdir(parents=True)
    sleeper, other = Seat(settings), Seat(settings)
    assert sleeper.take()
    assert not other.take()
    assert sleeper._path is not None
    os.utime(sleeper._path, (1, 1))

    assert other.take()
    sleeper.release()


def test_adopters_that_race_send_everything_once(settings: Settings) -> None:
    die(settings)
    program = "from synapse_stream.cli import main; import sys; sys.argv = ['x', 'drain']; main()"
    command, given = [sys.executable, "-c", program], named(settings)
    racers = [subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert {racer.wait() for racer in racers} <= {0, 1}

    assert types(settings) == LOST


def test_hidden_directories_are_no_spools_and_old_ones_are_buried(settings: Settings) -> None:
    root = settings.spool_root
    for name in (".p1", ".p2", ".p3.removed", "p4"):
        (root / name).mkdir(parents=True)
    os.utime(root / ".p1", (1, 1))

    bury(root)

    assert sorted(path.name for path in root.iterdir()) == [".p2", "p4"]


def test_a_thousand_ended_spools_cost_an_adopter_next_to_nothing(settings: Settings) -> None:
    """A tenth of a percent of a core, when it looks once in five seconds; here 50 are looked at."""
    on_disk = settings.model_copy(update={"spool_memory_bytes": 0})
    for number in range(50):
        logger = StreamLogger(f"job-{number}", on_disk)
        logger.log_message("one")
        logger.end_log()
    wait_until(lambda: len((settings.spool_root / ".ended").read_bytes().splitlines()) == 50)
    idle = adopter(on_disk)
    opened: list[str] = []

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and re.search(r"[0-9a-f]{16}/", str(arguments[0])):
            opened.append(str(arguments[0]))

    sys.addaudithook(look)
    began = time.process_time()
    for _ in range(12):
        assert idle.adopt() == []
    spent = time.process_time() - began

    assert [path for path in opened if str(settings.spool_root) in path] == []
    print(f"a minute with 50 ended spools costs {spent * 1000:.0f} ms")


def test_an_ended_spool_is_sent_again_when_the_server_lost_it(
    settings: Settings, log: EventLog
) -> None:
    logger = StreamLogger("job-1", settings)
    logger.log_message("one")
    logger.end_log()
    wait_until((settings.spool_root / ".ended").exists)
    assert adopter(settings).adopt() == []
    client_of(log).execute_command("FLUSHALL")

    assert only(adopter(settings).adopt()).sent == 2
    assert types(settings) == ["message", "end"]


def test_children_are_sent_and_what_is_not_theirs_stays(settings: Settings) -> None:
    homes = die(settings)
    process = live(settings)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    others = set(spools(settings)) - {homes[0].name}
    (child,) = others
    note_child(homes, ChildNote(child, process.pid))

    adoptions = adopter(settings).adopt_children([child], time.monotonic() + 30)

    assert [adoption.producer for adoption in adoptions] == [child]
    assert adopter(settings).adopt_children([child], time.monotonic() - 1) == []
    (parent,) = adopter(settings).adopt()
    assert parent.producer == homes[0].name
    (lost,) = [e for e in events(settings, "producer_lost") if e["child_count"]]
    assert (lost["child_count"], lost["children"]) == (
        1, [{"producer": child, "pid": process.pid}]
    )  # fmt: skip
