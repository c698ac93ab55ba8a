"""`synapse-stream open`: the page of a job, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import print_json
from synapse_stream.cli.shared.reading import say_no

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def open_(
    job: Job,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Open the page of a job in a browser, and print its address.

    It is the page of SYNAPSE_STREAM_PAGE_URL, of SYNAPSE_STREAM_URL, or of the `up` that runs with
    this data directory. Exit code 1 when none is there, or no browser is.
    """
    import webbrowser

    from synapse_stream.settings import Settings

    settings = Settings.load()
    base = page_of(settings)
    address = f"{base.rstrip('/')}/job?{urlencode({'id': job})}"
    if as_json:
        print_json({"page": address})
    else:
        print(address)
    if not webbrowser.open(address):
        say_no("there is no browser to open it with; BROWSER may name one")


def page_of(settings: Settings) -> str:
    """Return the address of the deployment's page; without one, say what to do and exit."""
    from synapse_stream.supervisor.single import holder

    if settings.page_url is not None or settings.url is not None:
        return str(settings.page_url or settings.url)
    about = holder(settings.data_dir / "up.lock") or {}
    if not about.get("page"):
        hint = "start one, or set SYNAPSE_STREAM_URL to the address of a deployment's page"
        say_no(f"no page is known: no `up` runs in {settings.data_dir}; {hint}")
    return str(about["page"])
