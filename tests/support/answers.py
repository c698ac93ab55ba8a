"""What readers get of jobs over HTTP, in a form in which it can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import httpx

_OF_NOW = {"age_seconds", "now_ms", "health", "alive_beside", "parked", "damaged", "instance"}
"""What another moment changes, and what is judged by itself."""
ROUTES = {
    "state": ("", "run-state"),
    "series": ("/series", "metric-history"),
    "metrics": ("/metrics?points=0", "metric-history"),
    "courses": ("/metrics?points=20", "metric-history"),
    "messages": ("/messages?dev=true&limit=1000", "message-feed"),
    "events": ("/events?limit=1000", "archive"),
}
"""Name → the path behind a job's, and the projection that it shows."""


class Answer(NamedTuple):
    """What one route gives of a job."""

    status: int
    content: Any


class Told(NamedTuple):
    """All answers of one job."""

    answers: Mapping[str, Answer]
    row: Any
    """How the list shows it; None when it does not."""
    damaged: tuple[str, ...]
    """The projections that are said to be damaged, by list or job."""

    @property
    def refused(self) -> set[str]:
        """The projections of which some answer was refused, as one that is damaged."""
        return {ROUTES[name][1] for name, answer in self.answers.items() if answer.status >= 500}

    @property
    def says_so(self) -> set[str]:
        """The projections that it is said of, in whatever way, that something is wrong."""
        return {*self.damaged, *self.refused}


def ask(client: httpx.Client, jobs: Iterable[str]) -> dict[str, Told]:
    """Ask for everything about jobs."""
    listed = client.get("/api/jobs", params={"limit": 1000})
    rows = {row["job_id"]: row for row in listed.json()["jobs"]} if listed.is_success else {}
    return {job: _told(client, job, rows.get(job)) for job in jobs}


def _told(client: httpx.Client, job: str, row: Any) -> Told:
    found = {}
    damaged: set[str] = set() if row is None else set(row["damaged"])
    for name, (path, _) in ROUTES.items():
        answer = client.get(f"/api/jobs/{quote(job, safe='')}{path}")
        content = answer.json()
        damaged |= set(content.get("damaged", ()))
        found[name] = Answer(answer.status_code, _lasting(content))
    return Told(found, _lasting(row), tuple(sorted(damaged)))


def differences(expected: Told, found: Told) -> list[str]:
    """Name what was answered otherwise, though it was answered."""
    wrong = [
        f"{name}: {_first(expected.answers[name].content, answer.content)}"
        for name, answer in found.answers.items()
        if answer.status < 500 and answer != expected.answers[name]
    ]
    if found.row != expected.row and "run-state" not in found.says_so:
        wrong.append(f"row: {_first(expected.row, found.row)}")
    return wrong


def _lasting(content: Any) -> Any:
    if isinstance(content, dict):
        kept = {key: _lasting(value) for key, value in content.items() if key not in _OF_NOW}
        if kept.get("arrival"):
            kept["arrival"] = kept["arrival"].partition(".")[0]  # then a number of the store
        return kept
    return [_lasting(item) for item in content] if isinstance(content, list) else content


def _first(expected: Any, found: Any) -> str:
    """Show where two contents begin to differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            if expected.get(key) != found.get(key):
                return f"{key}: {_first(expected.get(key), found.get(key))}"
    if isinstance(expected, list) and isinstance(found, list):
        for index, (one, two) in enumerate(zip(expected, found, strict=False)):
            if one != two:
                return f"[{index}] {_first(one, two)}"
        return f"{len(expected)} expected, {len(found)} found"
    return f"expected {expected!r:.80}, found {found!r:.80}"
