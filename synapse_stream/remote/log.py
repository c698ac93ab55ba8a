"""The log behind an API: what a shipper and an adopter need of it, as requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.entries.answers import Ack, Outcome, Written
from synapse_stream.entries.batch import encode_fields
from synapse_stream.errors import LogUnavailable
from synapse_stream.remote.connection import Connection
from synapse_stream.remote.packing import PACKED, pack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.batch import Batch
    from synapse_stream.settings import Settings

LINES = "application/x-ndjson"

_MOST_HEADS = 1_000  # that one request asks for


class RemoteLog:
    """Speaks to an API; its methods promise what those of `producer.shipping.port.Log` do."""

    is_cluster = False

    def __init__(self, settings: Settings) -> None:
        """Raise ConfigError when the settings cannot be used; the API is asked later."""
        self._connection = Connection(settings)
        self.answer_seconds = 0.0

    def check(self) -> str | None:
        """Return the id of the deployment."""
        answer = self._connection.ask("asking which deployment it is", "GET", "api", "deployment")
        with self._connection.understood():
            return str(orjson.loads(answer.data)["id"])

    def append(self, batch: Batch) -> Ack:
        """Append `batch` if it follows the producer's last number; else say what is there."""
        fields = encode_fields(batch)
        headers = {"Content-Type": LINES}
        if "z" in fields:
            headers["Content-Encoding"] = "zstd"
        query = {"producer": batch.producer, "first": batch.first, "last": batch.last}
        answer = self._connection.ask(
            f"appending to job {batch.job_id!r}",
            *("POST", "api", "jobs", batch.job_id, "append"),
            query={**query, "hash": batch.hash.hex(), "salts": batch.salts.hex()},
            body=fields["z"] if "z" in fields else fields["d"],
            headers=headers,
        )
        with self._connection.understood():
            return _ack(orjson.loads(answer.data))

    def append_all(self, batches: Sequence[Batch]) -> list[Ack | LogUnavailable]:
        """Append batches of different producers, many a request; none behind one that is cut."""
        answers: list[Ack | LogUnavailable] = []
        trouble: LogUnavailable | None = None
        begin, requests = time.monotonic(), 0
        for count, body in pack(batches):
            requests += 1
            only = batches[len(answers)] if count == 1 else None
            try:
                if trouble is not None:
                    raise trouble
                found = [self.append(only)] if only else self._append_packed(count, body)
            except LogUnavailable as error:
                trouble = None if error.is_refusal else error
                found = [error] * count
            answers += found
        self.answer_seconds = (time.monotonic() - begin) / max(requests, 1)
        return answers

    def _append_packed(self, count: int, body: bytes) -> Sequence[Ack | LogUnavailable]:
        doing, headers = "appending to several jobs", {"Content-Type": PACKED}
        answer = self._connection.ask(doing, "POST", "api", "append", body=body, headers=headers)
        with self._connection.understood():
            found = orjson.loads(answer.data)["answers"]
            return [self._answer(found[number]) for number in range(count)]

    def _answer(self, found: dict[str, Any]) -> Ack | LogUnavailable:
        """Return what became of one batch of several."""
        if "status" not in found:
            return _ack(found)
        return self._connection.refused(
            "appending", found["status"], found["detail"], float(found.get("retry_after", 0))
        )

    def heads(self, producers: Sequence[tuple[str, str]]) -> list[Ack]:
        """Return what is there of pairs of job and producer, as outcome KNOWN."""
        found: list[Ack] = []
        for begin in range(0, len(producers), _MOST_HEADS):
            body = orjson.dumps({"producers": producers[begin : begin + _MOST_HEADS]})
            headers = {"Content-Type": "application/json"}
            doing = "asking for producers"
            answer = self._connection.ask(doing, "POST", "api", "heads", body=body, headers=headers)
            with self._connection.understood():
                found += map(_ack, orjson.loads(answer.data)["heads"])
        return found

    def written(self, job_id: str, producer: str) -> Iterator[Written]:
        """Yield what the job's stream has under the name of a producer, in its order."""
        doing = f"looking what job {job_id!r} has of producer {producer!r}"
        path, after = ("api", "jobs", job_id, "producers", producer), None
        while True:
            answer = self._connection.ask(doing, "GET", *path, query={"after": after})
            with self._connection.understood():
                page = orjson.loads(answer.data)
                for found in page["batches"]:
                    yield Written(**{**found, "hash": bytes.fromhex(found["hash"])})
                after = page["next"]
            if after is None:
                return

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def _ack(found: dict[str, Any]) -> Ack:
    return Ack(Outcome(found["outcome"]), found["last"], bytes.fromhex(found["hash"]), None)
