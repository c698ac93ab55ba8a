"""The routes of the API by which programs report, for those of this host; as an ASGI application.

Whoever reaches the agent reports by its token. Batches go on together, whoever they are from; what
other programs send in forms of their own is passed on to the API, if there is one.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import orjson

from synapse_stream.entries.answers import Ack
from synapse_stream.entries.batch import Batch, decode_fields, parse_fields
from synapse_stream.entries.keys import is_job_id
from synapse_stream.entries.limits import LARGEST_DATA_BYTES
from synapse_stream.errors import ConfigError, DecodeError, LogUnavailable
from synapse_stream.remote.packing import unpack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from synapse_stream.agent.asking import Asking
    from synapse_stream.agent.outbound import Outbound

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_PASSED_ON = 32 * 1024 * 1024
_JSON, _PROBLEM = b"application/json", b"application/problem+json"
_KINDS = {"identity": b"d", "zstd": b"z"}
_PASSED_ON = ("/ingest/", "/v1/stream/")
_HASH = re.compile("[0-9a-f]{64}")
_BYTES = re.compile("([0-9a-f]{2})+")
_NUMBER = re.compile("[0-9]{1,16}", re.ASCII)
_HERE = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Refusal(Exception):
    """What is wrong with a request."""

    def __init__(self, status: int, detail: str, wait: float = 0.0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.wait = wait


class Request(NamedTuple):
    """What is asked."""

    method: str
    path: str
    """As it came."""
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def segments(self) -> list[str]:
        """The parts of the path, as they are meant."""
        return [unquote(part) for part in self.path.strip("/").split("/")]


class Answered(NamedTuple):
    """What comes back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Relay:
    """Answers requests: what is appended goes `outbound`, the rest is asked."""

    def __init__(self, outbound: Outbound, asking: Asking) -> None:
        self._outbound = outbound
        self._asking = asking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            request = await _read(scope, receive)
            answer = await self._answer(request)
        except Refusal as refusal:
            answer = _refused(refusal)
        except (LogUnavailable, ConfigError) as error:
            answer = _refused(_refusal_of(error))
        kind = _JSON if answer.status in range(200, 300) else _PROBLEM
        headers = {"content-type": kind.decode(), "cache-control": "no-store", **answer.headers}
        shown = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": shown})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, request: Request) -> Answered:
        if request.path.startswith(_PASSED_ON) and "live=" not in request.query:
            return Answered(*await self._asking.passed_on(request))
        return _json(await self._content(request))

    async def _content(self, request: Request) -> dict[str, Any]:
        match request.method, request.segments:
            case "GET", ["healthz"]:
                found: dict[str, Any] = {"status": "ok"}
            case "GET", ["api", "deployment"]:
                found = await self._asking.deployment()
            case "POST", ["api", "append"]:
                found = await self._append_all(request)
            case "POST", ["api", "heads"]:
                heads = await self._asking.heads(_pairs(request.body))
                found = {"heads": [_shown(ack) for ack in heads]}
            case "POST", ["api", "jobs", job_id, "append"]:
                found = await self._append(_batch_of(request, job_id))
            case "GET", ["api", "jobs", job_id, "producers", producer]:
                after = dict(parse_qsl(request.query)).get("after", "0")
                found = await self._asking.written(job_id, producer, _number(after))
            case _:
                detail = "the agent takes what is reported; what is recorded the API shows"
                raise Refusal(HTTPStatus.NOT_FOUND, detail)
        return found

    async def _append(self, batch: Batch) -> dict[str, Any]:
        (answer,) = await self._outbound.append([batch])
        if isinstance(answer, LogUnavailable):
            raise answer
        return _shown(answer)

    async def _append_all(self, request: Request) -> dict[str, Any]:
        try:
            batches = [_judged(one.job_id, one.fields) for one in unpack(request.body)]
        except ValueError as error:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        answers = await self._outbound.append(batches)
        return {"answers": [_shown_of_several(one) for one in answers]}


async def _read(scope: Scope, receive: Receive) -> Request:
    """Return a request whole, unless a page of a browser sends it, or it is too large."""
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}
    host = headers.get("host", "")
    name = f"{host.rpartition(']')[0]}]" if host.startswith("[") else host.partition(":")[0]
    if name.lower() not in _HERE or "origin" in headers or "sec-fetch-site" in headers:
        detail = "the agent is for programs of this host, as localhost, and not for pages"
        raise Refusal(HTTPStatus.FORBIDDEN, detail)
    path = scope["raw_path"].decode("latin-1")
    largest = _LARGEST_PASSED_ON if path.startswith(_PASSED_ON) else LARGEST_DATA_BYTES
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(HTTPStatus.BAD_REQUEST, "the request broke off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > largest:
            detail = f"the body is larger than {largest} bytes"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        if not message.get("more_body"):
            query = scope["query_string"].decode("latin-1")
            return Request(scope["method"], path, query, headers, b"".join(parts))


def _batch_of(request: Request, job_id: str) -> Batch:
    coding = request.headers.get("content-encoding", "identity")
    if coding not in _KINDS:
        detail = f"a body with Content-Encoding: {coding} cannot be read"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    asked = dict(parse_qsl(request.query))
    link, salts = asked.get("hash", ""), asked.get("salts", "")
    if not (_HASH.fullmatch(link) and _BYTES.fullmatch(salts) and asked.get("producer")):
        detail = "a producer, its chain hash and salts are needed"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    first, last = (_number(asked.get(name, "")) for name in ("first", "last"))
    numbers = {b"n": b"%d" % first, b"m": b"%d" % last}
    proof = {b"h": bytes.fromhex(link), b"s": bytes.fromhex(salts)}
    known = {b"p": asked["producer"].encode(), **numbers, **proof}
    return _judged(job_id, {**known, _KINDS[coding]: request.body})


def _judged(job_id: str, fields: Mapping[bytes, bytes]) -> Batch:
    """Judge a batch by its numbers, then unpack it."""
    if not is_job_id(job_id) or parse_fields(fields) is None:
        detail = "no job has that id, or these numbers are those of no batch"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    try:
        return decode_fields(job_id, fields)
    except DecodeError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{text[:100]!r} is no number")
    return int(text)


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        pairs = orjson.loads(body)["producers"]
        found = [(job, producer) for job, producer in pairs]
    except (ValueError, KeyError, TypeError):
        found = [("", 0)]
    if not all(isinstance(one, str) for pair in found for one in pair):
        detail = 'the body must be {"producers": [[job, producer], …]}'
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return found


def _shown(ack: Ack) -> dict[str, Any]:
    return {"outcome": ack.outcome, "last": ack.last, "hash": ack.hash.hex()}


def _shown_of_several(answer: Ack | LogUnavailable) -> dict[str, Any]:
    if isinstance(answer, Ack):
        return _shown(answer)
    refusal = _refusal_of(answer)
    wait = round(refusal.wait)
    return {"status": refusal.status, "detail": refusal.detail, "retry_after": wait}


def _refusal_of(error: LogUnavailable | ConfigError) -> Refusal:
    """Return what the agent was told as what it tells: refusals as they came, the rest as away."""
    status = getattr(error, "status", None) or HTTPStatus.SERVICE_UNAVAILABLE
    wait = getattr(error, "retry_after", 0.0)
    return Refusal(status, getattr(error, "reason", str(error)), wait)


def _json(content: dict[str, Any]) -> Answered:
    return Answered(HTTPStatus.OK, orjson.dumps(content), {})


def _refused(refusal: Refusal) -> Answered:
    title = HTTPStatus(refusal.status).phrase
    said = {"type": "about:blank", "title": title, "status": int(refusal.status)}
    headers = {"retry-after": str(max(1, round(refusal.wait)))} if refusal.wait else {}
    return Answered(refusal.status, orjson.dumps({**said, "detail": refusal.detail}), headers)
