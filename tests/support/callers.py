"""Callers of every kind, known to an application or not, for tests of who may do what."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from consumers.api.access import COOKIE
from synapse_stream.remote.tokens import Claims, Role, issue, sign
from tests.support.doors import SECRET

if TYPE_CHECKING:
    from consumers.api.access import Access

JOB, SIBLING, OTHER, OVER = "job", "job-2", "other", "over"
WRONG_SECRET = "another secret of 32 characters!!"
LISTED: dict[str, dict[str, Any]] = {
    "listed viewer": {"role": "viewer"},
    "listed developer of the job": {"role": "developer", "jobs": JOB},
    "listed appender": {"append": True, "jobs": "j*"},
    "listed operator": {"role": "operator"},
    "listed and expired": {"role": "operator", "expires": "2020-01-01T00:00:00Z"},
    "listed and revoked": {"role": "operator"},
}


class Who(NamedTuple):
    """A caller: what it sends, and what it may by that."""

    headers: dict[str, str]
    role: Role | None = None
    jobs: str | None = None
    appends: bool = False
    is_known: bool = True
    token: str | None = None
    """The signed one that it has, or whose session."""

    def sees(self, job_id: str) -> bool:
        return self.jobs is None or fnmatchcase(job_id, self.jobs)

    @property
    def may_append(self) -> bool:
        return self.appends or self.role is Role.OPERATOR

    @property
    def is_developer(self) -> bool:
        return self.role in {Role.DEVELOPER, Role.OPERATOR}


def listed() -> SecretStr:
    """Return the setting that lists tokens: one as it is, the others by their hashes."""
    tokens = [
        {"name": _named(name), "sha256": sha256(_secret(name).encode()).hexdigest(), **given}
        for name, given in LISTED.items()
    ]
    first = tokens[0]
    del first["sha256"]
    first["token"] = _secret("listed viewer")
    return SecretStr(json.dumps(tokens))


def all_callers(access: Access) -> dict[str, Who]:
    """Return every caller by its name; `access` opens the sessions of those that come by cookie."""
    found = {**_known(), **_unknown()}
    for name in ("viewer", "developer of the job", "operator", "appending viewer"):
        who = found[name]
        session = access.open_session(who.token or "")
        assert session is not None
        cookie = {"Cookie": f"{COOKIE}={session}"}
        found[f"session of {name}"] = who._replace(headers=cookie, appends=False)
    operator = found["operator"].token or ""
    gone, other = access.open_session(operator), access.open_session(operator)
    assert gone is not None
    access.end_session(gone)
    no_callers = {
        "signed out": {"Cookie": f"{COOKIE}={gone}"},
        "signed out as a token": _bearer(gone),
        "session as a token": _bearer(other or ""),
        "token as a session": {"Cookie": f"{COOKIE}={operator}"},
    }
    return found | {name: Who(given, is_known=False) for name, given in no_callers.items()}


def revoked_ids() -> list[str]:
    """Return what is revoked."""
    return ["revoked", _named("listed and revoked")]


def _known() -> dict[str, Who]:
    own: dict[str, dict[str, Any]] = {
        "viewer": {"role": Role.VIEWER},
        "viewer of the job": {"role": Role.VIEWER, "jobs": JOB},
        "viewer of a pattern": {"role": Role.VIEWER, "jobs": "j*"},
        "viewer of another job": {"role": Role.VIEWER, "jobs": OTHER},
        "developer": {"role": Role.DEVELOPER},
        "developer of the job": {"role": Role.DEVELOPER, "jobs": JOB},
        "operator": {"role": Role.OPERATOR},
        "operator of the job": {"role": Role.OPERATOR, "jobs": JOB},
        "appender": {"append": True},
        "appender of the job": {"append": True, "jobs": JOB},
        "appender of another job": {"append": True, "jobs": OTHER},
        "appending viewer": {"append": True, "role": Role.VIEWER, "jobs": JOB},
    }
    found = {}
    for name, given in own.items():
        token = sign(issue("plugin", 3600, **given), SECRET)
        role, jobs = given.get("role"), given.get("jobs")
        found[name] = Who(_bearer(token), role, jobs, given.get("append", False), token=token)
    for name, more in LISTED.items():
        role = Role(more["role"]) if "role" in more else None
        is_known = not name.startswith("listed and")
        jobs = str(more["jobs"]) if "jobs" in more else None
        found[name] = Who(_bearer(_secret(name)), role, jobs, bool(more.get("append")), is_known)
    return found


def _unknown() -> dict[str, Who]:
    now = int(time.time())
    times: dict[str, Any] = {"name": "plugin", "role": Role.OPERATOR, "issued": now - 7200}
    operator = issue("plugin", 3600, role=Role.OPERATOR)
    expired = sign(Claims(id="expired", expires=now - 1, **times), SECRET)
    gone = sign(Claims(id="revoked", expires=now + 3600, **times), SECRET)
    ended = sign(Claims(id="ended", expires=now + 3600, jobs=OVER, **times), SECRET)
    foreign = sign(operator, WRONG_SECRET)
    whole = sign(operator, SECRET)
    headers = {
        "nobody": {},
        "expired": _bearer(expired),
        "revoked": _bearer(gone),
        "of a run that has ended": _bearer(ended),
        "of another secret": _bearer(foreign),
        "unsigned": _bearer(f"{whole.rpartition('.')[0]}."),
        "with a wrong signature": _bearer(f"{whole.rpartition('.')[0]}.{foreign.split('.')[2]}"),
        "basic": {"Authorization": f"Basic {whole}"},
        "by the hash alone": _bearer(sha256(_secret("listed operator").encode()).hexdigest()),
        "made-up session": {"Cookie": f"{COOKIE}=viewer.9999999999.{'0' * 64}"},
        "expired session": {"Cookie": f"{COOKIE}={expired}"},
        "wrong token beside a session": {
            **_bearer("wrong-token-0123456789"),
            "Cookie": f"{COOKIE}={whole}",
        },
    }
    return {name: Who(given, is_known=False) for name, given in headers.items()}


def _named(name: str) -> str:
    return name.replace(" ", "-")


def _secret(name: str) -> str:
    return f"token-0123456789-{_named(name)}"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
