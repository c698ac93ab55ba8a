"""Batches of many jobs in few commands: those of one partition go in one call of the script."""

from __future__ import annotations

import time
from hashlib import sha1
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisError

from synapse_stream.entries.answers import Ack, Outcome
from synapse_stream.entries.batch import encode_fields
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.failures import FAILURES
from synapse_stream.log.replies import ack_of, entry_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.keys import Keys
    from synapse_stream.log.connection import Client

_APPEND = files(__package__).joinpath("append.lua").read_bytes()
_END = b"\n-- What follows is left out"
_APPEND_KEPT = (
    _APPEND.partition(_END)[0] + files(__package__).joinpath("append_kept.lua").read_bytes()
)
_SHAS = {
    script: sha1(script, usedforsecurity=False).hexdigest() for script in (_APPEND, _APPEND_KEPT)
}
_MOST_AT_ONCE = 100  # batches of one call: nobody else is served meanwhile
_OUTCOMES = (Outcome.KNOWN, Outcome.APPENDED, Outcome.GAP)  # 0, 1 and 2 of append.lua

Answer = Ack | LogUnavailable


def append_all(
    client: Client,
    keys: Keys,
    batches: Sequence[Batch],
    failure: Callable[[Exception, str], LogUnavailable],
) -> tuple[list[Answer], float]:
    """Append batches of different producers; return of each its answer, or why there is none.

    `failure` makes the latter of what redis-py raises. Behind a failure that is no refusal nothing
    more is asked. Also returned is how long a command took, in seconds.
    """
    answers: dict[int, Answer] = {}
    trouble: LogUnavailable | None = None
    calls = list(_calls(keys, batches))
    begin = time.monotonic()
    for numbers, call in calls:
        group = [batches[number] for number in numbers]
        try:
            replies = [trouble] * len(group) if trouble else _run(client, call)
        except FAILURES as error:
            refused = failure(error, _appending(group))
            replies = [refused] * len(group)
            trouble = None if refused.is_refusal else refused
        for number, batch, reply in zip(numbers, group, replies, strict=True):
            if isinstance(reply, RedisError):
                answers[number] = failure(reply, _appending([batch]))
            else:
                answers[number] = reply if isinstance(reply, LogUnavailable) else _ack(batch, reply)
    took = (time.monotonic() - begin) / max(len(calls), 1)
    return [answers[number] for number in range(len(batches))], took


def _calls(keys: Keys, batches: Sequence[Batch]) -> Iterator[tuple[list[int], tuple[Any, ...]]]:
    """Yield the numbers of the batches of a call, and its words behind the script."""
    by_partition: dict[int, list[int]] = {}
    for number, batch in enumerate(batches):
        by_partition.setdefault(keys.partition(batch.job_id), []).append(number)
    for partition, numbers in by_partition.items():
        for begin in range(0, len(numbers), _MOST_AT_ONCE):
            some = numbers[begin : begin + _MOST_AT_ONCE]
            names: list[Any] = [keys.feed(partition)]
            words: list[Any] = []
            for batch in (batches[number] for number in some):
                names += keys.job(batch.job_id), keys.producers(batch.job_id)
                words += batch.job_id, *_words(batch)
            yield some, (len(names), *names, *words)


def _words(batch: Batch) -> tuple[Any, ...]:
    fields = encode_fields(batch)
    (kind,) = fields.keys() & {"d", "z"}
    return (*(fields[name] for name in ("p", "n", "m", "h", "s")), kind, fields[kind])


def append_kept(
    client: Client, keys: Keys, batch: Batch, beside: Sequence[str], kept: Sequence[Any]
) -> Ack:
    """Append a batch, and in the same step what is kept at the keys `beside`; raise as redis-py."""
    job_id = batch.job_id
    names = (keys.feed(keys.partition(job_id)), keys.job(job_id), keys.producers(job_id), *beside)
    words = (job_id, *_words(batch), *kept)
    return _ack(batch, _run(client, (len(names), *names, *words), _APPEND_KEPT))


def _run(client: Client, call: tuple[Any, ...], script: bytes = _APPEND) -> list[Any]:
    try:
        return client.execute_command("EVALSHA", _SHAS[script], *call)  # type: ignore[no-any-return]
    except NoScriptError:
        return client.execute_command("EVAL", script, *call)  # type: ignore[no-any-return]


def _ack(batch: Batch, reply: Any) -> Ack:
    code, answer = reply
    outcome = _OUTCOMES[code]
    if outcome is Outcome.APPENDED:
        return Ack(outcome, batch.last, batch.hash, entry_id(answer))
    return ack_of(outcome, answer)


def _appending(batches: Sequence[Batch]) -> str:
    more = f" and {len(batches) - 1} others" if len(batches) > 1 else ""
    return f"appending to job {batches[0].job_id!r}{more}"
