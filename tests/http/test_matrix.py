"""Who may do what: every caller at every route that the application has, and what leaks by it.

The routes are the application's own, so a new one without a rule here is red.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.log.event_log import open_log
from synapse_stream.log.revoking import RevokingLog
from synapse_stream.remote.packing import pack
from synapse_stream.remote.tokens import Role
from tests.support import events
from tests.support.anchoring import private_key
from tests.support.callers import JOB, OTHER, OVER, SIBLING, Who, all_callers, listed, revoked_ids
from tests.support.calling import Answer, Request, call_all, routes_of, started
from tests.support.chains import Chain
from tests.support.doors import SECRET
from tests.support.packages import installed, put_example
from tests.support.projecting import project
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from synapse_stream.entries.batch import Batch
    from synapse_stream.settings import Settings

INTRUDER = "intruder"
NOTHING = "nothing"
SHOWN = b"event: snapshot", b"event: refused"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
OF_OTHERS, FOR_DEVELOPERS = "only-for-those-of-other", "only-for-developers"
NDJSON, CSV = {"Accept": "application/x-ndjson"}, {"Accept": "text/csv"}
BATCHES = {job: Chain(job, "p1") for job in (JOB, SIBLING, OTHER)}
TARGETS = {
    "job": JOB,
    "job-2": SIBLING,
    "other": OTHER,
    "%6Fther": OTHER,
    "nothing": "nothing",
    "OTHER": "OTHER",
    "job%2F..%2Fother": "job/../other",
}
"""What may stand in a path, and which job it names; only some are there."""
FEW = {"job", "other", ""}
ANNOTATION = "/api/jobs/{job}/annotation"


class Ask(NamedTuple):
    """One way to ask at a route; it goes to each caller and, where there is a job, to each."""

    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    body: bytes = b""
    enough: tuple[bytes, ...] = ()
    is_for_developers: bool = False


class Rule(NamedTuple):
    """Who gets something at a route."""

    needs: str
    asks: tuple[Ask, ...] = (Ask(),)
    status: int = 200
    """Of what they get."""


def several(*jobs: str) -> str:
    return "?streams=" + json.dumps([[job, None] for job in jobs]).replace(" ", "")


RULES = {
    ("GET", "/"): Rule(NOTHING),
    ("GET", "/job"): Rule(NOTHING),
    ("GET", "/compare"): Rule(NOTHING),
    ("GET", "/trail"): Rule(NOTHING),
    ("GET", "/static/{name:path}"): Rule(NOTHING),
    ("GET", "/docs"): Rule(NOTHING),
    ("GET", "/asyncapi.json"): Rule(NOTHING),
    ("GET", "/openapi.json"): Rule(NOTHING),
    ("HEAD", "/openapi.json"): Rule(NOTHING),
    ("GET", "/healthz"): Rule(NOTHING),
    ("GET", "/readyz"): Rule(NOTHING, status=503),  # here nothing projects
    ("GET", "/api/session"): Rule(NOTHING),
    ("POST", "/api/session"): Rule(NOTHING, (Ask(body=b'{"token":"wrong"}'),), status=403),
    ("DELETE", "/api/session"): Rule(NOTHING),
    ("GET", "/metrics"): Rule("role"),
    ("GET", "/api/deployment"): Rule("token"),
    ("GET", "/api/jobs"): Rule(
        "role",
        (Ask("?whole=1"), Ask("?q=other"), Ask("?action=train&limit=1"), Ask("?status=running")),
    ),
    ("GET", "/api/jobs/{job}"): Rule("role for the job", (Ask(), Ask("?at=2100-01-01T00:00:00Z"))),
    ("GET", "/api/groups"): Rule("role", (Ask("?by=job"), Ask("?by=labels.team&columns=events"))),
    ("GET", "/api/compare"): Rule("role for both", (Ask(f"?job={JOB}&job={OTHER}"),)),
    ("GET", "/api/jobs/{job}/series"): Rule("role for the job"),
    ("GET", "/api/jobs/{job}/metrics"): Rule(
        "role for the job", (Ask(), Ask("?points=0"), Ask(headers=CSV))
    ),
    ("GET", "/api/jobs/{job}/messages"): Rule(
        "role for the job",
        (
            *(Ask(), Ask(headers=NDJSON), Ask("?dev=true", NDJSON, is_for_developers=True)),
            Ask("?kind=message,log", is_for_developers=True),
        ),
    ),
    ("GET", "/api/jobs/{job}/events"): Rule(
        "role for the job", (Ask(), Ask(headers=NDJSON), Ask("?type=dev_event"))
    ),
    ("GET", "/api/jobs/{job}/events/live"): Rule("role for the job", (Ask("?seconds=0"),)),
    ("GET", "/api/jobs/{job}/live"): Rule(
        "role for the job",
        (
            *(Ask(enough=(b"event: snapshot",)), Ask("?after=0-0.0", enough=(b"event: ",))),
            Ask("?view=errors-by-kind", enough=(b"event: view",), is_for_developers=True),
        ),
    ),
    ("GET", "/api/jobs/{job}/views/{view}"): Rule(
        "role for the job", (Ask(), Ask("?at=2100-01-01T00:00:00Z"))
    ),
    ("GET", "/api/views"): Rule("role"),
    ("GET", "/api/views/{view}"): Rule("role", (Ask(), Ask("?limit=1"))),
    ("GET", "/api/live"): Rule(
        "role",
        (Ask(enough=(b"retry:",)), *(Ask(several(job), enough=SHOWN) for job in (JOB, OTHER))),
    ),
    ("POST", "/api/jobs/{job}/append"): Rule("append to the job"),
    ("GET", "/api/jobs/{job}/producers/{producer}"): Rule("append to the job"),
    ("POST", "/api/append"): Rule("append to the job"),
    ("POST", "/api/heads"): Rule("append to the job"),
    ("PUT", "/v1/stream/{job}"): Rule("append to the job", status=409),  # others report to it
    ("POST", "/v1/stream/{job}"): Rule("append to the job", (Ask(body=b"1"),), status=405),
    ("GET", "/v1/stream/{job}"): Rule(
        "role for the job",
        (
            *(Ask(), Ask("?offset=now&live=sse", enough=(b"event: control",))),
            Ask("?offset=-1&live=sse", enough=(b"event: control",)),
        ),
    ),
    ("PATCH", "/ingest/synapse/jobs/{job}/"): Rule("append to the job", (Ask(body=b"{}"),)),
    ("PATCH", "/ingest/synapse/jobs/{job}"): Rule("append to the job", (Ask(body=b"{}"),)),
    ("POST", "/ingest/trainer/jobs/{job}"): Rule(
        "append to the job", (Ask(body=b'{"trainerStatus": {}}'),)
    ),
    ("POST", "/ingest/synapse/logs/"): Rule("append to the job"),
    ("POST", "/ingest/synapse/logs"): Rule("append to the job"),
    **{
        (method, "/ingest/synapse/{path:path}"): Rule("token", status=404)  # there is no backend
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    ("POST", "/api/tokens"): Rule("operator of all", (Ask(body=b'{"name":"x","append":true}'),)),
    ("DELETE", "/api/tokens/{token}"): Rule("operator of all"),
    ("GET", "/api/jobs/{job}/standing"): Rule("role for the job"),
    ("POST", "/api/jobs/{job}/sign-off"): Rule(  # these runs go on
        "operator for the job", (Ask(body=b'{"name":"x","meaning":"y"}'),), status=409
    ),
    ("GET", ANNOTATION): Rule("role for the job"),
    ("PATCH", ANNOTATION): Rule("operator for the job", (Ask(body=b'{"note":"seen"}'),)),
    ("GET", "/api/trail"): Rule("operator of all", (Ask(), Ask("?act=token&limit=1"))),
}


READ = {path for (_, path), rule in RULES.items() if rule.needs.startswith("role")}


class Tried(NamedTuple):
    """A caller asked, and what came."""

    name: str
    who: Who
    path: str
    request: Request
    expected: int
    answer: Answer

    def __str__(self) -> str:
        return f"{self.name}: {self.request.method} {self.request.target} {self.answer.status}"

    def has(self, secret: str) -> bool:
        return secret.encode() in self.answer.body or secret in str(self.answer.headers)

    @property
    def may_read(self) -> bool:
        return self.who.is_known and self.who.role is not None


class Seen(NamedTuple):
    """What came of all of it."""

    tried: list[Tried]
    others: list[Tried]
    """By methods that no route has."""
    heads: list[int]
    """How far the intruder came in each job."""
    revoked: list[str]


MAY: dict[str, Callable[[Who, str], bool]] = {
    "token": lambda who, job: True,
    "role": lambda who, job: who.role is not None,
    "role for the job": lambda who, job: who.role is not None and who.sees(job),
    "role for both": lambda who, job: who.role is not None and who.sees(job) and who.sees(OTHER),
    "append to the job": lambda who, job: who.may_append and who.sees(job),
    "operator for the job": lambda who, job: who.role is Role.OPERATOR and who.jobs is None,
    "operator of all": lambda who, job: who.role is Role.OPERATOR and who.jobs is None,
}


def expected(who: Who, rule: Rule, ask: Ask, job: str) -> int:
    """Return the status that an answer must have; what may not be known of is not there."""
    if rule.needs == NOTHING:
        return rule.status
    if not who.is_known:
        return 401
    may = MAY[rule.needs](who, job)
    if may and (who.is_developer or not ask.is_for_developers):
        return rule.status if job in BATCHES else 404
    is_hidden = not may and rule.needs.startswith("role for ") and who.role is not None
    return 404 if is_hidden else 403


@pytest.fixture(scope="module")
def deployment(filled: Settings) -> Iterator[Settings]:
    settings = filled.model_copy(
        update={
            "namespace": "matrix",
            "data_dir": filled.data_dir / "matrix",
            "token_secret": SecretStr(SECRET),
            "sign_off_key": private_key(),
            "api_tokens": listed(),
        }
    )
    with closing(open_log(settings)) as log:
        for job, chain in BATCHES.items():
            log.append(chain.add(*said(job)))
        over = Chain(OVER, "p1")
        log.append(over.add(*said(OVER), events.ended(count=5)))
    site = put_example(settings.data_dir / "site")
    with installed(site):
        project(settings)
    with closing(RevokingLog.open(settings)) as revoking:
        for one in revoked_ids():
            revoking.revoke(one)
    with pytest.MonkeyPatch.context() as patched, installed(site):
        patched.setattr("consumers.api.finished._GRACE_MS", -1)
        yield settings


@pytest.fixture(scope="module")
def app(deployment: Settings) -> FastAPI:
    return create_app(deployment)


def said(job: str) -> list[dict[str, Any]]:
    secret = OF_OTHERS if job == OTHER else "plain"
    return [
        events.started(params={"key": secret}, labels={"team": secret}),
        events.metrics({secret: 1.0}, step=secret),
        events.message(secret, step=secret),
        events.event("dev_event", message=FOR_DEVELOPERS, data={"is": secret}),
        events.event("from the future", payload=FOR_DEVELOPERS + secret),
    ]


def requests(callers: dict[str, Who], method: str, path: str) -> Iterator[tuple[str, Request, int]]:
    """Yield who asks what at a route, and the status that it must get."""
    rule = RULES[method, path]
    targets = TARGETS if rule.needs.endswith("the job") else {"": JOB}
    if rule.needs.startswith("append"):  # to any job, as none must be there
        targets = {target: job for target, job in TARGETS.items() if job in BATCHES}
    addresses = count()
    for name, who in callers.items():
        for target, job in targets.items():
            for ask in rule.asks if target in FEW else rule.asks[:1]:
                allowed = expected(who, rule, ask, job)
                is_allowed = allowed == 200
                query, body = ask.query, ask.body
                if path.endswith("/append"):
                    query, body = batch(path, job, is_new=not is_allowed)
                if "/logs" in path:
                    body = json.dumps({"event": "e", "data": {}, "job": job}).encode()
                if path == "/api/heads":
                    body = json.dumps({"producers": [[job, "p1"], [job, INTRUDER]]}).encode()
                token = "unknown" if is_allowed else "listed-viewer"
                where = path_of(path, job=target, token=token) + query
                headers = {**ask.headers, **who.headers, "content-type": "application/json"}
                # wrong tokens of one address are answered more slowly each time
                address = f"{method} {path} {next(addresses)}"
                yield name, Request(method, where, headers, body, ask.enough, address), allowed


def path_of(path: str, **names: str) -> str:
    usual = {"job": JOB, "producer": "p1", "token": "unknown", "name": "js/server/api.js"}
    others = {"view": "time-by-step", "path": "v2/x"}
    return path.replace(":path", "").format(**usual | others | names)


def one_of(job: str, *, is_new: bool) -> Batch:
    if is_new:
        return Chain(job, INTRUDER).add(events.message("I was here"))
    return BATCHES[job].batches[0]


def batch(path: str, job: str, *, is_new: bool) -> tuple[str, bytes]:
    """Return how the batch that is there is appended again, or one that may not be."""
    found = one_of(job, is_new=is_new)
    if path == "/api/append":
        ((_, body),) = pack([found])
        return "", body
    query = f"?producer={found.producer}&first={found.first}&last={found.last}"
    return f"{query}&hash={found.hash.hex()}&salts={found.salts.hex()}", found.data


@pytest.fixture(scope="module")
def seen(app: FastAPI) -> Seen:
    """Have every caller ask at every route; that sessions end comes last."""
    return asyncio.run(ask_all(app))


async def ask_all(app: FastAPI) -> Seen:
    log = app.state.sources.log
    async with started(app):
        callers = all_callers(app.state.access)
        others = await ask_otherwise(app, callers["operator"])
        tried: list[Tried] = []
        routes = set(routes_of(app)) & RULES.keys()
        for method, path in sorted(routes, key=("DELETE", "/api/session").__eq__):
            made = list(requests(callers, method, path))
            answers = await call_all(app, [request for _, request, _ in made])
            for (name, request, allowed), answer in zip(made, answers, strict=True):
                tried.append(Tried(name, callers[name], path, request, allowed, answer))
        heads = [ack.last for ack in log.heads([(job, INTRUDER) for job in BATCHES])]
        return Seen(tried, others, heads, log.revoked())


async def ask_otherwise(app: FastAPI, operator: Who) -> list[Tried]:
    """Ask at every path by methods that it has not: nobody, and who may do everything."""
    found = []
    for path in {path for _, path in RULES}:
        is_private = (
            path.startswith(("/api/", "/metrics", "/ingest/", "/v1/")) and path != "/api/session"
        )
        for method in METHODS:
            if (method, path) in RULES or (method == "HEAD" and ("GET", path) in RULES):
                continue
            for who in (operator, Who({}, is_known=False)):
                request = Request(method, path_of(path), who.headers)
                answer = (await call_all(app, [request]))[0]
                goes_on = path.startswith("/ingest/synapse/") and method not in {"OPTIONS", "TRACE"}
                missing = 404 if goes_on else 405
                allowed = 401 if is_private and not who.is_known else missing
                found.append(Tried(str(who.role), who, path, request, allowed, answer))
    return found


def test_every_route_has_a_rule_and_every_rule_a_route(app: FastAPI) -> None:
    assert set(routes_of(app)) == set(RULES)


def test_each_caller_gets_what_it_may_and_nothing_else(seen: Seen) -> None:
    assert len(seen.tried) >= 2_000
    wrong = [
        f"{one}, not {one.expected}"
        for one in seen.tried + seen.others
        if one.answer.status != one.expected
    ]

    assert wrong == []


def test_who_may_not_do_something_has_not_done_it(seen: Seen) -> None:
    assert seen.heads == [-1] * len(BATCHES)
    assert sorted(seen.revoked) == sorted([*revoked_ids(), "unknown"])


def test_nothing_of_a_job_is_in_answers_to_those_who_may_not_know_of_it(seen: Seen) -> None:
    found = [one for one in seen.tried if one.has(OF_OTHERS)]

    assert [str(one) for one in found if not (one.may_read and one.who.sees(OTHER))] == []
    assert {one.path for one in found} == READ - {
        "/metrics",
        "/api/views",
        "/api/jobs/{job}/standing",
        ANNOTATION,
    }


def test_nothing_for_developers_is_in_answers_to_others(seen: Seen) -> None:
    found = [one for one in seen.tried if one.has(FOR_DEVELOPERS)]

    assert [str(one) for one in found if not (one.may_read and one.who.is_developer)] == []
    assert {one.path.rpartition("/")[2] for one in found} == {"messages", "events", "live", "{job}"}


def test_no_answer_is_kept_for_others_and_each_refusal_says_what_is_needed(seen: Seen) -> None:
    for one in seen.tried + seen.others:
        headers = one.answer.headers
        assert headers["x-content-type-options"] == "nosniff", one
        assert "default-src 'none'" in headers["content-security-policy"], one
        if one.path.startswith("/api/") and one.answer.status != 405:
            kept = headers["cache-control"]
            shared = kept == "no-store" or {"Authorization", "Cookie"} <= {
                *headers["vary"].split(", ")
            }
            assert shared, one
        if one.answer.status == 401:
            assert headers["www-authenticate"].startswith("Bearer"), one
        assert "set-cookie" not in headers or one.path == "/api/session", one


def test_a_real_server_answers_as_the_application_does(deployment: Settings, seen: Seen) -> None:
    of_transport = {"date", "content-encoding", "transfer-encoding", "content-length", "etag"}
    chosen = [
        one
        for one in seen.tried
        if one.name in {"nobody", "appender", "viewer of the job"} and one.request.method == "GET"
    ]
    with asked(create_app(deployment)) as client:
        for one in chosen[::4]:
            with client.stream("GET", one.request.target, headers=one.request.headers) as answer:
                assert answer.status_code == one.answer.status, one
                headers = one.answer.headers.keys() ^ answer.headers.keys()
                assert headers <= of_transport, one
