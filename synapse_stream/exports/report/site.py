"""What a report is made of, asked of the API of a deployment: the page's files, a run's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from synapse_stream.remote.api import Api
from synapse_stream.remote.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from synapse_stream.settings import Settings

MOST_MESSAGES = 20_000
MOST_SERIES = 2_000

_POINTS = 500
"""Most to draw of a series: a bucket takes two."""
_AXES = ("step", "time", "index")
_PAGE = 1_000


class Site:
    """Page and API of a deployment. Closed at the end of a `with` block."""

    def __init__(self, settings: Settings) -> None:
        """Take address and token of `settings`, which have a `url`; nothing is asked yet.

        Raises:
            ConfigError: the authorities' file cannot be read.
        """
        self._api = Api(settings)
        self._files = Connection(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._api.close()
        self._files.close()

    def file(self, path: str) -> str:
        """Return a file of the page.

        Raises:
            LogUnavailable: the API did not answer, or has no such file.
        """
        return self._files.ask(f"reading {path}", "GET", *path.split("/")).data.decode()

    def run(self, job_id: str) -> dict[str, Any] | None:
        """Return the state of a job, its messages, and its series with their courses.

        Of a very large run these are the newest `MOST_MESSAGES` and the first `MOST_SERIES`.
        Returns None for an unknown job.

        Raises:
            LogUnavailable: the API did not answer, or refused.
        """
        job = self._api.show(f"reading job {job_id!r}", "jobs", job_id)
        if job is None:
            return None
        return {
            "job": job,
            "position": job["position"],
            "now_ms": job["now_ms"],
            "messages": self._messages(job_id),
            "series": self._series(job_id, "series", {"limit": _PAGE}),
            "metrics": {axis: self._courses(job_id, axis) for axis in _AXES},
        }

    def _messages(self, job_id: str) -> list[Any]:
        found: list[Any] = []
        before: str | None = None
        while len(found) < MOST_MESSAGES:
            asked = {"limit": _PAGE, "before": before}
            page = self._show(job_id, "messages", asked)
            found = [*page["messages"], *found]
            if not page["has_more"]:
                break
            before = found[0]["position"]
        return found

    def _courses(self, job_id: str, axis: str) -> list[Any]:
        return self._series(job_id, "metrics", {"x": axis, "points": _POINTS, "attempt": "all"})

    def _series(self, job_id: str, what: str, asked: dict[str, Any]) -> list[Any]:
        found = [one for page in self._pages(job_id, what, asked, "next") for one in page["series"]]
        return found[:MOST_SERIES]

    def _pages(
        self, job_id: str, what: str, asked: dict[str, Any], following: str
    ) -> Iterator[dict[str, Any]]:
        """Yield pages, until there are enough series or no more."""
        count = 0
        after: str | None = None
        while count < MOST_SERIES:
            page = self._show(job_id, what, {**asked, "after": after})
            count += len(page["series"])
            yield page
            after = page.get(following)
            if after is None:
                return

    def _show(self, job_id: str, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        doing = f"reading {what} of job {job_id!r}"
        return self._api.show(doing, "jobs", job_id, what, query=asked) or {
            "series": [],
            "messages": [],
            "has_more": False,
        }
