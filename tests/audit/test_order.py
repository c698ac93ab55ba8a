"""A table of what whoever may write to server and store can do to a record: each is found.

All of it is made consistent again: chains, blocks, manifest, and the stream, which is rewritten in
the same way or trimmed. No view is there, so that nothing but the record tells.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select, update

from consumers.store.schema import block, job
from consumers.views.archive.block import loose_blocks
from consumers.views.archive.blocks import insert_blocks
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.entries.batch import RawEntry, parse_fields, seal
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.position import BEGINNING
from synapse_stream.ports.audit import Verdict
from tests.support import events
from tests.support.anchoring import anchor, settings
from tests.support.archiving import Archiver
from tests.support.chains import Chain
from tests.support.entries import as_received

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from tests.support.tampering import Deployment

__all__ = ["settings"]

JOB = "job-1"
_HOUR_MS = 3_600_000
_TIMES = 10

Entries = list[RawEntry]


def record(deployment: Deployment) -> None:
    """Record two ranks in turns, of which the first attempt is complete and the second failed."""
    for attempt, status in ((1, "completed"), (2, "failed")):
        ranks = [Chain(JOB, f"attempt-{attempt}-rank-{rank}") for rank in (0, 1)]
        for rank, chain in enumerate(ranks):
            deployment.record(chain, [events.started(attempt=attempt, rank=rank)])
        for number in range(6):
            for chain in ranks:
                values = ({"loss": number + i / 8} for i in range(4))
                deployment.record(chain, [events.metrics(some) for some in values])
        for chain in reversed(ranks):
            end = events.ended() | {"status": status, "count": chain.last + 2}
            deployment.record(chain, [end])


def batch_of(entry: RawEntry) -> Batch:
    batch = recorded_batch(JOB, entry).batch
    assert batch
    return batch


def anew(entry: RawEntry, batch: Batch) -> RawEntry:
    return entry._replace(fields=as_received(batch))


def rechain(entries: Entries) -> Entries:
    """Seal every batch anew, each behind the one of its producer before."""
    chains: dict[str, Chain] = {}
    found = []
    for entry in entries:
        old = batch_of(entry)
        chain = chains.setdefault(old.producer, Chain(JOB, old.producer))
        found.append(anew(entry, chain.add_data(old.data, old.last - old.first + 1)))
    return found


def in_order(entries: Entries, order: list[int]) -> Entries:
    """Give the places of entries to others of them."""
    return [one._replace(fields=entries[i].fields) for one, i in zip(entries, order, strict=True)]


def attempts_exchanged(entries: Entries, dice: random.Random) -> Entries:
    first = [i for i, one in enumerate(entries) if batch_of(one).producer.startswith("attempt-1")]
    second = [i for i in range(len(entries)) if i not in first]
    if dice.random() < 0.5:
        return in_order(entries, second + first)
    kept = dice.randrange(1, len(second))
    return in_order(entries, second[:kept] + first + second[kept:])


def ranks_exchanged(entries: Entries, dice: random.Random) -> Entries:
    pairs = [
        place
        for place in range(len(entries) - 1)
        if batch_of(entries[place]).producer != batch_of(entries[place + 1]).producer
    ]
    place = dice.choice(pairs)
    order = list(range(len(entries)))
    order[place], order[place + 1] = order[place + 1], order[place]
    return in_order(entries, order)


def an_id_changed(entries: Entries, dice: random.Random) -> Entries:
    place = dice.randrange(len(entries))
    ids = [one[:2] for one in entries]
    changed = entries[place]._replace(seq=entries[place].seq + 1)
    if place + 1 < len(ids) and changed[:2] >= ids[place + 1]:
        return [entries[0]._replace(ms=entries[0].ms - dice.randrange(1, 99)), *entries[1:]]
    return [*entries[:place], changed, *entries[place + 1 :]]


def all_ids_shifted(entries: Entries, dice: random.Random) -> Entries:
    by = dice.choice([-_HOUR_MS, -1000, -1])
    return [one._replace(ms=one.ms + by) for one in entries]


def last_ids_shifted(entries: Entries, dice: random.Random) -> Entries:
    place = dice.randrange(1, len(entries))
    return [*entries[:place], *(one._replace(ms=one.ms + 1) for one in entries[place:])]


def a_producer_forged(entries: Entries, dice: random.Random) -> Entries:
    place = dice.randrange(1, len(entries))
    end = events.ended() | {"count": 1}
    forged = as_received(Chain(JOB, "forged").add(end))
    before = entries[place - 1]
    found = [*entries[:place], RawEntry(before.ms, before.seq + 1, forged), *entries[place:]]
    shifted = [one._replace(seq=one.seq + 2) for one in found[place + 1 :]]
    return [*found[: place + 1], *shifted]


def a_producer_removed(entries: Entries, dice: random.Random) -> Entries:
    gone = dice.choice([batch_of(one).producer for one in entries])
    return [one for one in entries if batch_of(one).producer != gone]


def a_producer_renamed(entries: Entries, dice: random.Random) -> Entries:
    old = dice.choice([batch_of(one).producer for one in entries])
    found = []
    for one in entries:
        fields = dict(one.fields)
        fields[b"p"] = b"renamed" if fields[b"p"] == old.encode() else fields[b"p"]
        found.append(one._replace(fields=fields))
    return rechain(found)


def a_value_changed(entries: Entries, dice: random.Random) -> Entries:
    places = [i for i, one in enumerate(entries) if b'"values"' in batch_of(one).data]
    place = dice.choice(places)
    old = batch_of(entries[place])
    data = old.data.replace(b'"values":{"loss":', b'"values":{"loss":9')
    changed = seal(bytes(32), JOB, old.producer, old.first, old.last, data)
    return rechain([*entries[:place], anew(entries[place], changed), *entries[place + 1 :]])


def batches_cut_anew(entries: Entries, dice: random.Random) -> Entries:
    """Have the lines of two batches of a producer change the place where they are cut."""
    producer = dice.choice([batch_of(one).producer for one in entries])
    mine = [i for i, one in enumerate(entries) if batch_of(one).producer == producer]
    one, two = mine[at := dice.randrange(1, len(mine) - 2)], mine[at + 1]
    lines = [line for i in (one, two) for line in batch_of(entries[i]).lines()]
    first, cut = batch_of(entries[one]).first, dice.choice([1, 2, 3, 5, 6, 7])
    found = list(entries)
    for place, begin, some in ((one, first, lines[:cut]), (two, first + cut, lines[cut:])):
        data = b"".join(line + b"\n" for line in some)
        batch = seal(bytes(32), JOB, producer, begin, begin + len(some) - 1, data)
        found[place] = anew(entries[place], batch)
    return rechain(found)


ONLY_A_ROOT_FINDS = [
    attempts_exchanged,
    ranks_exchanged,
    an_id_changed,
    all_ids_shifted,
    last_ids_shifted,
    a_producer_forged,
    a_producer_removed,
    a_producer_renamed,
    a_value_changed,
    batches_cut_anew,
]


def numbers_repeated_with_other_values(entries: Entries, dice: random.Random) -> Entries:
    """Append a batch that has many numbers once more, and one that is new."""
    producer = dice.choice([batch_of(one).producer for one in entries])
    mine = [batch_of(one) for one in entries if batch_of(one).producer == producer]
    before, *again = mine[dice.randrange(len(mine) - 2) :]
    data = b"".join(batch.data for batch in again).replace(b'"loss":', b'"loss":9')
    last = again[-1].last + 1
    data += b'{"seq":%d,"time":1,"type":"heartbeat","v":1}\n' % last
    forged = seal(before.hash, JOB, producer, before.last + 1, last, data)
    return [*entries, RawEntry(entries[-1].ms + 1, 0, as_received(forged))]


def a_line_that_gives_itself_another_number(entries: Entries, dice: random.Random) -> Entries:
    place = dice.randrange(len(entries))
    old = batch_of(entries[place])
    data = old.data.replace(b'{"seq":%d,' % old.first, b'{"seq":%d,' % (old.first + 7), 1)
    changed = seal(bytes(32), JOB, old.producer, old.first, old.last, data)
    return rechain([*entries[:place], anew(entries[place], changed), *entries[place + 1 :]])


def numbers_exchanged(entries: Entries, dice: random.Random) -> Entries:
    """Have two lines of a batch change places."""
    place = dice.choice([i for i, one in enumerate(entries) if len(batch_of(one).lines()) > 1])
    old = batch_of(entries[place])
    lines = dice.sample(old.lines(), len(old.lines()))
    if lines == old.lines():
        lines.reverse()
    data = b"".join(line + b"\n" for line in lines)
    changed = seal(bytes(32), JOB, old.producer, old.first, old.last, data)
    return rechain([*entries[:place], anew(entries[place], changed), *entries[place + 1 :]])


NO_ANCHOR_IS_NEEDED = [
    numbers_repeated_with_other_values,
    a_line_that_gives_itself_another_number,
    numbers_exchanged,
]


def archived(deployment: Deployment) -> Entries:
    archiver = Archiver(deployment.settings, deployment.log)
    archiver.archive()
    archiver.close()
    found = deployment.log.read_after(JOB, BEGINNING)
    return [RawEntry(one.ms, one.seq, one.raw or {}) for one in found]


def write(deployment: Deployment, entries: Entries, *, is_trimmed: bool) -> None:
    """Have archive and stream hold these entries, as if they had always done."""
    fold = ArchiveFold(JOB, None)
    for one in entries:
        fold.apply(one)
    with deployment.databases.of("archive").write("test") as connection:
        no = connection.execute(select(job.c.no).where(job.c.job_id == JOB)).scalar_one()
        connection.execute(delete(block))
        start = 0
        for new in loose_blocks(entries, [parse_fields(one.fields) for one in entries]):
            insert_blocks(connection, no, 0, [(start, new)])
            start += new.entries
        connection.execute(update(job).where(job.c.no == no).values(document=fold.document()))
    key = deployment.log.keys.job(JOB)
    deployment.redis("DEL", key)
    for one in [] if is_trimmed else entries:
        words = [word for pair in one.fields.items() for word in pair]
        deployment.redis("XADD", key, f"{one.ms}-{one.seq}", *words)


@pytest.mark.parametrize("tamper", ONLY_A_ROOT_FINDS, ids=lambda one: one.__name__)
def test_only_a_signed_root_finds_what_was_made_consistent(
    deployment: Deployment, tamper: Any
) -> None:
    record(deployment)
    entries = archived(deployment)
    anchor(deployment)
    write(deployment, entries, is_trimmed=False)
    assert deployment.verify().verdict is Verdict.INTACT
    for seed in range(_TIMES):
        changed = tamper(list(entries), random.Random(seed))
        assert changed != entries
        write(deployment, changed, is_trimmed=seed % 2 == 0)

        report = deployment.verify()

        assert {finding.what for finding in report.findings} == {"anchor"}
    assert deployment.verify(anchors=None).findings == []


@pytest.mark.parametrize("tamper", NO_ANCHOR_IS_NEEDED, ids=lambda one: one.__name__)
def test_what_contradicts_itself_is_found_without_an_anchor(
    deployment: Deployment, tamper: Any
) -> None:
    record(deployment)
    entries = archived(deployment)
    for seed in range(_TIMES):
        write(deployment, tamper(list(entries), random.Random(seed)), is_trimmed=seed % 2 == 0)

        report = deployment.verify(anchors=None)

        assert "numbers" in {finding.what for finding in report.findings}


@pytest.mark.parametrize(
    "tamper", [an_id_changed, all_ids_shifted, last_ids_shifted], ids=lambda one: one.__name__
)
def test_an_id_that_was_changed_in_the_stream_alone_is_found(
    deployment: Deployment, tamper: Any
) -> None:
    record(deployment)
    entries = archived(deployment)
    key = deployment.log.keys.job(JOB)
    for seed in range(_TIMES):
        deployment.redis("DEL", key)
        for one in tamper(list(entries), random.Random(seed)):
            words = [word for pair in one.fields.items() for word in pair]
            deployment.redis("XADD", key, f"{one.ms}-{one.seq}", *words)

        report = deployment.verify(anchors=None)

        assert report.findings[0].what == "stream"
        assert "as archived" in report.findings[0].expected


def test_a_tail_that_came_again_in_the_same_cuts_is_no_difference(deployment: Deployment) -> None:
    chain = Chain(JOB)
    deployment.record(chain, *([{"x": number}] for number in range(8)))
    archived(deployment)
    anchor(deployment)
    lost = chain.batches[5:]
    deployment.lose_tail(chain, 5)
    for batch in lost:
        deployment.append(chain.add_data(batch.data, 1))

    before = deployment.verify()
    archived(deployment)
    after = deployment.verify()

    assert (before.findings, after.findings) == ([], [])
