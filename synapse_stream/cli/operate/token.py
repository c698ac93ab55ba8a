"""`synapse-stream token`: make a token for a plugin or a reader, or have one count no more."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reason import Reason

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def token(
    *,
    jobs: Annotated[
        str | None, typer.Argument(help="A job, or a pattern such as 'team-a-*'.", metavar="JOB")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="May read as viewer, developer or operator.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="May append; without --role it always may.")
    ] = False,
    life: Annotated[str, typer.Option("--for", help="How long: 90s, 12h, 7d.")] = "1d",
    fixed: Annotated[
        bool, typer.Option("--fixed", help="Not longer, even while its run lives.")
    ] = False,
    name: Annotated[str, typer.Option(help="Who has it, for people.")] = "plugin",
    revoke: Annotated[
        str | None, typer.Option(metavar="ID", help="Have a token count no more, at once.")
    ] = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="With its id and its end.")] = False,
) -> None:
    """Print a new token for a job, or revoke one; the operators' trail tells of it.

    It is signed here, with SYNAPSE_STREAM_TOKEN_SECRET or the key in the data directory; with
    SYNAPSE_STREAM_URL the API is asked, by an operator's token.
    """
    from synapse_stream.cli.shared.moments import seconds
    from synapse_stream.settings import Settings

    settings = Settings.load()
    if (jobs is None) == (revoke is None):
        msg = "name a JOB, or --revoke ID; '*' is every job"
        raise WrongUse(msg)
    if revoke is not None:
        _revoke(settings, revoke, reason)
        return
    wanted = {
        "name": name,
        "jobs": None if jobs == "*" else jobs,
        "role": role,
        "append": append or role is None,
    }
    made = _made(settings, wanted, int(seconds("--for", life)), reason, is_renewed=not fixed)
    print_json(made) if as_json else print(made["token"])


def _made(
    settings: Settings, wanted: dict[str, Any], life: int, reason: str | None, *, is_renewed: bool
) -> dict[str, Any]:
    from synapse_stream.operating.trail import acting
    from synapse_stream.remote.secret import secret_of
    from synapse_stream.remote.tokens import issue, sign

    if settings.url is not None:
        body = orjson.dumps({**wanted, "seconds": life, "renew": is_renewed, "reason": reason})
        found: dict[str, Any] = orjson.loads(_asked(settings, "POST", "api", "tokens", body=body))
        return found
    try:
        claims = issue(wanted.pop("name"), life, is_renewed=is_renewed, **wanted)
    except ValueError as error:
        raise WrongUse(str(error)) from None
    jobs = [claims.run] if claims.run else []
    with acting(settings, "token make", jobs=jobs, reason=reason, before=claims.told):
        made = sign(claims, secret_of(settings))
    return {"token": made, "id": claims.id, "expires": claims.expires}


def _revoke(settings: Settings, token_id: str, reason: str | None) -> None:
    from synapse_stream.log.revoking import RevokingLog
    from synapse_stream.operating.trail import acting

    if settings.url is not None:
        _asked(settings, "DELETE", "api", "tokens", token_id, reason=reason)
        return
    with closing(RevokingLog.open(settings)) as log:
        log.check(found=False)
        with acting(settings, "token revoke", reason=reason, before={"id": token_id}):
            log.revoke(token_id)


def _asked(
    settings: Settings,
    method: str,
    *path: str,
    body: bytes | None = None,
    reason: str | None = None,
) -> bytes:
    from synapse_stream.remote.connection import Connection

    connection = Connection(settings)
    headers = {"Content-Type": "application/json"} if body else None
    query, doing = {"reason": reason}, "asking for a token"
    with closing(connection):
        found = connection.ask(doing, method, *path, query=query, body=body, headers=headers)
        return found.data
