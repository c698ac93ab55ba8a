"""The description of the API is true: every path asked at random as it describes it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import orjson
import pytest
import schemathesis
import zstandard
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as given_settings
from jsonschema import Draft7Validator, Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from consumers.api.app import create_app
from tests.support.jobs import HOSTILE, SLASHED
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.settings import Settings

EXAMPLES = 15
ASYNCAPI = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.json.zst"
ENDLESS = re.compile("(?<!/events)/live$")
WAITING = "/api/jobs/{job}/events/live"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KNOWN = ["trained", "running", "again", "taken", "asked", SLASHED, HOSTILE]
PATHS = [
    ("GET", "/api/jobs"),
    ("GET", "/api/jobs/{job}"),
    ("GET", "/api/compare"),
    ("GET", "/api/jobs/{job}/series"),
    ("GET", "/api/jobs/{job}/metrics"),
    ("GET", "/api/jobs/{job}/messages"),
    ("GET", "/api/jobs/{job}/views/{view}"),
    ("GET", "/api/jobs/{job}/annotation"),
    ("PATCH", "/api/jobs/{job}/annotation"),
    ("GET", "/api/groups"),
    ("GET", "/api/views"),
    ("GET", "/api/views/{view}"),
    ("GET", "/api/jobs/{job}/events"),
    ("GET", "/api/jobs/{job}/events/live"),
    ("GET", "/api/jobs/{job}/live"),
    ("GET", "/api/live"),
    ("GET", "/api/deployment"),
    ("POST", "/api/jobs/{job}/append"),
    ("GET", "/api/jobs/{job}/producers/{producer}"),
    ("POST", "/api/append"),
    ("POST", "/api/heads"),
    ("PATCH", "/ingest/synapse/jobs/{job}/"),
    ("POST", "/ingest/synapse/logs/"),
    ("POST", "/ingest/trainer/jobs/{job}"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/{token}"),
    ("GET", "/api/trail"),
    ("PUT", "/v1/stream/{job}"),
    ("POST", "/v1/stream/{job}"),
    ("GET", "/v1/stream/{job}"),
    ("GET", "/api/jobs/{job}/standing"),
    ("POST", "/api/jobs/{job}/sign-off"),
    ("GET", "/api/session"),
    ("POST", "/api/session"),
    ("DELETE", "/api/session"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]


@schemathesis.serializer("application/x-ndjson", "application/vnd.synapse-stream.batches")
def lines(_: Any, value: Any) -> bytes:
    """Have bodies of that kind be sent as they are made."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture(scope="module")
def writable(filled: Settings) -> Iterator[httpx.Client]:
    """Ask an application that may be written to: its jobs are not those that others look at."""
    changes = {"namespace": "fuzzed", "data_dir": filled.data_dir / "fuzzed"}
    with asked(create_app(filled.model_copy(update=changes))) as client:
        yield client


@pytest.fixture(scope="module")
def described(api: httpx.Client) -> Any:
    return schemathesis.openapi.from_dict(api.get("/openapi.json").json())


def test_every_path_is_described(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()
    found = {
        (method.upper(), path) for path, methods in described["paths"].items() for method in methods
    }

    assert described["openapi"].startswith("3.1")
    assert found == set(PATHS)


def test_the_docs_can_be_read_without_a_tool(api: httpx.Client) -> None:
    page = api.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert all(f"<code>{method} {path}</code>" in page.text for method, path in PATHS)
    assert "<td><code>last-event-id</code></td><td>header</td><td>string</td>" in page.text
    assert "<td><code>coalesced</code></td><td>To a reader that is too slow</td>" in page.text
    assert "`" not in page.text


def test_the_live_streams_are_described_as_asyncapi_has_it(api: httpx.Client) -> None:
    described = api.get("/asyncapi.json").json()

    rules = orjson.loads(zstandard.decompress(ASYNCAPI.read_bytes()))
    assert [*Draft7Validator(rules).iter_errors(described)] == []
    wrong = {**described, "channels": {"job": {"address": 1}}}
    assert [*Draft7Validator(rules).iter_errors(wrong)] != []
    assert set(described["channels"]["job"]["messages"]) == {
        *("snapshot", "event", "state", "view", "coalesced", "reset", "server")
    }
    events = described["components"]["schemas"]["Reported"]["properties"]["event"]["anyOf"]
    assert {"$ref": "#/components/schemas/MetricsEvent"} in events
    assert all(
        reference.removeprefix("#/components/schemas/") in described["components"]["schemas"]
        for reference in re.findall(r'"(#/components/schemas/[^"]+)"', json.dumps(described))
    )


def test_every_parameter_says_what_it_is(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for operation in methods.values():
            assert operation["summary"], path
            for parameter in operation.get("parameters", ()):
                assert parameter["schema"], (path, parameter["name"])


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("place", PATHS, ids=" ".join)
def test_whatever_is_asked_the_answer_is_as_described_and_no_fault(
    api: httpx.Client,
    writable: httpx.Client,
    described: Any,
    place: tuple[str, str],
    mode: GenerationMode,
) -> None:
    method, path = place
    api = api if method == "GET" else writable
    operation = described[path][method]
    if mode is GenerationMode.NEGATIVE and not _can_be_wrong(operation):
        return
    times = 0

    @seed(20261125)
    @given_settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal times
        times += 1
        if "job" in case.path_parameters and times % 3:  # at random it would be unknown
            case.path_parameters["job"] = KNOWN[times % len(KNOWN)]
        if path == WAITING and isinstance(case.query.get("seconds", 20), int):
            case.query["seconds"] = min(0, case.query.get("seconds", 0))
        if ENDLESS.search(path):
            _begin(api, case)
        else:
            # here nothing projects, and that is a 503 which is described
            checks = [c for c in CHECKS if path != "/readyz" or c is not not_a_server_error]
            case.call_and_validate(base_url=str(api.base_url), checks=checks)

    ask()
    assert times > 0


def _can_be_wrong(operation: Any) -> bool:
    names = [one.get("name") for one in operation.definition.raw.get("parameters", ())]
    return bool(operation.body) or names not in ([], ["job"])  # any text may be a job's id


def _begin(api: httpx.Client, case: Any) -> None:
    """Ask for a stream, which does not end, and leave it once it has begun."""
    asked = case.as_transport_kwargs(base_url=str(api.base_url))
    kept = {name: asked.get(name) for name in ("params", "headers") if asked.get(name)}
    with suppress(httpx.InvalidURL), api.stream(case.method, asked["url"], **kept) as answer:
        assert answer.status_code in {200, 404, 414, 422}


@pytest.mark.parametrize("job_id", KNOWN)
def test_real_answers_have_exactly_the_described_fields(api: httpx.Client, job_id: str) -> None:
    description = api.get("/openapi.json").json()
    paths = description["paths"]
    where = f"/api/jobs/{quote(job_id, safe='')}"
    read = [p for m, p in PATHS if m == "GET" and p.startswith("/api/jobs") and p.count("{") < 2]
    for path in (p for p in read if not p.endswith("/live")):
        schema = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": description["components"]}
        for wanted in ({}, {"points": 0, "attempt": "all", "dev": True}):
            allowed = {p["name"] for p in paths[path]["get"].get("parameters", ())}
            chosen: Any = {name: value for name, value in wanted.items() if name in allowed}
            if path.endswith("/series"):
                chosen.pop("attempt", None)
            answer = api.get(path.replace("/api/jobs/{job}", where), params=chosen)
            assert answer.status_code == 200
            Draft202012Validator(whole).validate(answer.json())


def _url(case: Any) -> str:
    return str(case.formatted_path)
