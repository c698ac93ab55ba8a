"""Every interleaving of reports, faults, crashes and adoptions, against a server in memory.

The real spool, shipper, orphan and adopter run against the double of `memory_server`; a state
machine decides what happens next. At the end of each story the faults cease, and the stream must
hold exactly what was reported: numbers 0..n, in order, byte for byte, in an unbroken hash chain.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from typing_extensions import override

from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.events.encoding import encode
from synapse_stream.log.event_log import EventLog
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.producer.shipping.shipper import Shipper
from synapse_stream.producer.spool.doorbell import Doorbell
from synapse_stream.producer.spool.roots import hot_root
from synapse_stream.producer.spool.shelf import Shelf
from synapse_stream.producer.spool.spool import Spool
from synapse_stream.settings import MIB, Settings
from tests.resilience.memory_plugin import TORN, Plugin, body_of, linked_lines, tear
from tests.resilience.memory_server import Killed, Link, LinkFault, MemoryServer
from tests.support.homes import described, make

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from tests.resilience.memory_server import State

JOB = "job-1"
SEGMENT_BYTES = 700

faults = st.sampled_from(
    [None, LinkFault.LOST_REQUEST, LinkFault.LOST_REPLY, LinkFault.LATE_REQUEST, LinkFault.REFUSED]
)
deaths = st.sampled_from([LinkFault.KILLED_BEFORE, LinkFault.KILLED_AFTER])


class AppendLaws(RuleBasedStateMachine):
    """The window of what the spool keeps is larger than anything the server loses."""

    options: ClassVar[dict[str, Any]] = {}
    memory_segments: ClassVar[int] = 1000
    stories: ClassVar[int] = 0
    """How many were told to their end, and how many events they reported."""
    events: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("synapse_stream").disabled = True
        self.home = Path(tempfile.mkdtemp(prefix="append-laws-"))
        self.settings = Settings(redis_url="redis://in.memory", data_dir=self.home, **self.options)
        self.server = MemoryServer()
        self.link = Link(self.server)
        self.keys = Keys(self.settings.namespace, self.settings.partitions)
        self.saved: list[State] = []
        self.now = 0.0
        self.gone: list[Plugin] = []
        self.plugin: Plugin | None = None
        self.count = 0

    @initialize(in_memory=st.booleans())
    def begin(self, in_memory: bool) -> None:
        self.in_memory = in_memory
        self.start_plugin()

    @precondition(lambda self: self.plugin is None)
    @rule()
    def start_plugin(self) -> None:
        producer = secrets.token_hex(8)
        hot = (
            hot_root(self.settings.spool_root, self.settings.memory_dir) if self.in_memory else None
        )
        info = described(self.settings, producer, JOB)
        homes = make(hot, self.settings.spool_root, info)
        shelf = Shelf(self.settings, hot=homes.hot, cold=homes.cold)
        shelf.segment_bytes = shelf._largest = SEGMENT_BYTES
        budget = shelf._memory_budget = self.memory_segments * SEGMENT_BYTES
        shelf._budget = lambda held: budget  # type: ignore[method-assign]
        spool = Spool(JOB, shelf, Doorbell())
        self.plugin = Plugin(producer, shelf, spool, Shipper(spool, producer, self.open_log))

    @precondition(lambda self: self.plugin is not None)
    @rule(sizes=st.lists(st.sampled_from([1, 50, 300, 500]), min_size=1, max_size=8))
    def report(self, sizes: list[int]) -> None:
        assert self.plugin is not None
        for size in sizes:
            self.count += 1
            (body,) = encode("message", None, {"content": f"{self.count} {'x' * size}"})
            self.plugin.report(body)

    @precondition(lambda self: self.plugin is not None)
    @rule(planned=st.lists(faults, max_size=4), times=st.integers(1, 4))
    def ship(self, planned: list[LinkFault | None], times: int) -> None:
        assert self.plugin is not None
        self.link.faults = list(planned)
        for _ in range(times):
            try:
                self.plugin.shipper.ship()
            except LogUnavailable as error:
                self.plugin.shipper.fail(error)
                self.plugin.shipper.close()
        self.link.faults = []

    @precondition(lambda self: self.plugin is not None)
    @rule()
    def ship_undisturbed(self) -> None:
        assert self.plugin is not None
        for _ in range(1000):
            if not self.plugin.shipper.ship():
                break
        spool = self.plugin.spool
        assert spool.acknowledged == spool.next - 1, "the shipper gets nowhere"

    @precondition(lambda self: self.plugin is not None)
    @rule(rounds=st.integers(1, 10), is_kept_house=st.booleans())
    def work_undisturbed(self, rounds: int, is_kept_house: bool) -> None:
        for _ in range(rounds):
            self.report([300, 300, 300])
            self.ship([], 3)
            if is_kept_house:
                self.keep_house(1.0)

    @precondition(lambda self: self.plugin is not None)
    @rule(seconds=st.floats(0, 50))
    def keep_house(self, seconds: float) -> None:
        assert self.plugin is not None
        spool = self.plugin.spool
        self.now += seconds
        spool.prepare()
        spool.report_loss()
        unsent = spool.read(spool.acknowledged + 1, 1_000_000)
        spool.tidy(self.now)
        assert spool.read(spool.acknowledged + 1, 1_000_000) == unsent

    @rule()
    def save_files(self) -> None:
        self.saved.append(self.server.save())

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def lose_the_tail(self, data: st.DataObject) -> None:
        self.server.put_back(data.draw(st.sampled_from(self.saved)))

    @rule()
    def flush_all(self) -> None:
        self.server.put_back(MemoryServer().save())

    @rule()
    def deliver_late(self) -> None:
        self.link.deliver_late()

    @precondition(lambda self: self.plugin is not None)
    @rule(torn=st.sampled_from(sorted(TORN)))
    def kill_the_plugin(self, torn: str) -> None:
        plugin = self.take_plugin()
        plugin.spool.release()  # as the kernel does
        tear(plugin, TORN[torn])

    @precondition(lambda self: self.plugin is not None)
    @rule(planned=st.lists(faults, max_size=4))
    def end_the_plugin(self, planned: list[LinkFault | None]) -> None:
        assert self.plugin is not None
        (body,) = encode("end", None, {"status": "completed"})
        self.plugin.spool.seal("end", body)
        self.ship(planned, 3)
        self.take_plugin().spool.park()

    @precondition(lambda self: self.gone)
    @rule(planned=st.lists(faults, max_size=9), death=st.none() | deaths)
    def adopt(self, planned: list[LinkFault | None], death: LinkFault | None) -> None:
        self.link.faults = [*planned, death]
        with contextlib.suppress(Killed):
            adopt_all(self.settings, self.open_log)
        self.link.faults = []

    def teardown(self) -> None:
        try:
            if self.plugin is not None:
                self.end_the_plugin([])
            for _ in range(2):  # whoever was adopted first may be needed again: nobody is
                adoptions = adopt_all(self.settings, self.open_log)
                assert [a for a in adoptions if a.trouble or a.waiting] == []
            batches = self.batches()
            # Of one that was killed before it accepted anything there is nothing to say.
            spoke = [plugin for plugin in self.gone if plugin.spool.next > 0]
            assert {batch.producer for batch in batches} == {plugin.id for plugin in spoke}
            for plugin in spoke:
                self.check(plugin, [b for b in batches if b.producer == plugin.id])
            type(self).stories += 1
            type(self).events += self.count
        finally:
            self.clean_up()

    def check(self, plugin: Plugin, batches: list[Batch]) -> None:
        """The stream holds what `plugin` reported, all of it, and its last word."""
        lines = linked_lines(batches)
        events = [orjson.loads(line) for line in lines]
        assert [event["seq"] for event in events] == list(range(len(plugin.reported) + 1))
        assert events[-1]["type"] in {"end", "producer_lost"}
        for number, body in plugin.reported.items():
            assert body_of(lines[number]) == body

    def take_plugin(self) -> Plugin:
        plugin, self.plugin = self.plugin, None
        assert plugin is not None
        self.gone.append(plugin)
        return plugin

    def open_log(self) -> EventLog:
        return EventLog(self.link, self.keys, "the double")

    def batches(self) -> list[Batch]:
        recorded = EventLog(self.server, self.keys, "").read_after(JOB, BEGINNING, limit=10**6)
        assert all(r.batch for r in recorded)
        return [r.batch for r in recorded if r.batch]

    def clean_up(self) -> None:
        logging.getLogger("synapse_stream").disabled = False
        for root in (hot_root(self.settings.spool_root, self.settings.memory_dir), self.home):
            if root is not None:
                shutil.rmtree(root, ignore_errors=True)


class BoundedLaws(AppendLaws):
    """A tiny rewind window and a tiny memory: what is missing is said, number by number."""

    options: ClassVar[dict[str, Any]] = {
        "rewind_bytes": 2 * SEGMENT_BYTES,
        "rewind_seconds": 100,
        "spool_max_bytes": 16 * MIB,
    }
    memory_segments: ClassVar[int] = 5

    @override
    def check(self, plugin: Plugin, batches: list[Batch]) -> None:
        events = [(orjson.loads(line), body_of(line)) for line in linked_lines(batches)]
        missing: set[int] = set()
        shed = 0
        following = 0
        for event, body in events:
            if event["type"] == "loss" and event["first"] is not None:
                assert event["first"] == following
                missing |= set(range(following, event["last"] + 1))
                following = event["last"]
            elif event["type"] == "loss":
                shed += event["counts"].pop("message")
                assert event["counts"] == {}
            assert event["seq"] == following
            assert event["type"] != "message" or body == plugin.reported[following]
            following += 1
        assert following > max(plugin.reported, default=-1)
        if events[-1][0]["type"] == "end" and not missing:
            assert plugin.offered == len(plugin.reported) + shed
