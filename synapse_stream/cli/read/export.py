"""`synapse-stream export` and `import`: runs as files in open formats."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.cli.shared.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.reading.stream import JobStream


class Format(StrEnum):
    """What a run can be written as."""

    JSONL = "jsonl"
    CLOUDEVENTS = "cloudevents"
    PARQUET = "parquet"
    CSV = "csv"


def export(
    job: Job,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write; - is the standard output.")
    ],
    kind: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="jsonl, zstd: every byte, for `import`; or an extract. Without it as the file's "
            "name ends: .jsonl.zst, .csv, .parquet, .cloudevents.",
        ),
    ] = None,
) -> None:
    """Write a run to a file.

    Exit code 1 when there is no such job.
    """
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings, chosen = Settings.load(), kind or _named(output)
    stream = JobStream(job, settings)
    found = stream.entries() if chosen is Format.JSONL else stream.read()
    if next(iter(found), None) is None:
        say_no(f"there is no job {job!r}{near_job(settings, job)}")
    with writing(output) as file:
        wrote = _write(stream, chosen, file)
    print(f"{output}: {wrote}", file=sys.stderr)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="What `export` wrote as jsonl; or runs of TensorBoard (a file or folder), MLflow "
            "(a folder or its SQLite), W&B (offline runs), trackio (its database), or JSON Lines.",
        ),
    ],
    *,
    job: Annotated[
        str | None, typer.Option("--job", help="The job of a run of another program.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="JSON",
            help="What the fields of JSON Lines are: time, time_unit (s, ms, us), x, step, metrics "
            "(a list), text; or @ and a file with that.",
        ),
    ] = None,
    reason: Reason = None,
) -> None:
    """Put a run that is in files into the deployment; the consumers make its views.

    An export is checked and archived as it was. Runs of other programs become jobs, each point with
    its own time; what is damaged is left out and said. Importing again changes nothing.

    Exit code 1 when it is not whole, or another run of that name is there.
    """
    from synapse_stream.cli.read.foreign import import_runs

    if not import_runs(file, job, mapping, reason):
        _import_export(file, reason)


def _import_export(file: Path, reason: str | None) -> None:
    from synapse_stream.entries.keys import TRAIL
    from synapse_stream.exports.copies import import_run
    from synapse_stream.exports.exact import ExactFile
    from synapse_stream.log.event_log import open_log
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.archive import open_archive
    from synapse_stream.ports.operations import open_operations
    from synapse_stream.ports.projections import projections
    from synapse_stream.reading.job_reader import JobReader
    from synapse_stream.settings import Settings

    settings = Settings.load()
    with _reading(file) as source, closing(open_archive(settings)) as archive:
        exact = ExactFile(source)
        with closing(open_log(settings)) as log:
            log.check(found=False)
            reader = JobReader(log, lambda: archive)
            if exact.job_id == TRAIL:
                say_no(f"{file} is an operators' trail: it stays a file, and can be verified so")
            jobs, before = [exact.job_id], {"file": str(file)}
            with acting(settings, "import", jobs=jobs, reason=reason, before=before) as act:
                is_new = act.after["is_new"] = import_run(exact, reader, archive)
                if is_new:
                    with closing(open_operations(settings)) as store:
                        for view in projections().folded():
                            store.rebuilds.ask(view, exact.job_id)
    done = "is archived" if is_new else "was there already, the same byte by byte"
    print(f"job {exact.job_id!r} {done}", file=sys.stderr)


def _named(path: Path) -> Format:
    """Return the format that a file's name asks for.

    Raises:
        WrongUse: it ends in something else.
    """
    ending = path.suffix.removeprefix(".").lower()
    if ending in list(Format):
        return Format(ending)
    if ending not in {"", "zst"} and path.is_file() | (not path.exists()):
        known = ", ".join(f".{kind}" for kind in Format)
        msg = f"-o {path}: .{ending} says no format; expected {known} or .zst, or --format"
        raise WrongUse(msg)
    return Format.JSONL


def _write(stream: JobStream, kind: Format, file: IO[bytes]) -> str:
    from synapse_stream.exports import exact, extracts, parquet

    match kind:
        case Format.JSONL:
            end = exact.write_exact(
                *(stream.job_id, stream.entries(), file), stream.joins(), stream.erasures()
            )
            return f"{end['events']} events in {end['entries']} entries"
        case Format.CLOUDEVENTS:
            return f"{extracts.write_cloudevents(stream.job_id, stream.read(), file)} events"
        case Format.CSV:
            return f"{extracts.write_csv(stream.read(), file)} events"
        case Format.PARQUET:
            return f"{parquet.write_parquet(stream.read(), file)} values"


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` only once it is whole.

    A device or FIFO is written to as it stands, `-` is the standard output, and behind a symbolic
    link its target is replaced.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():
            with path.open("wb", buffering=0) as file:
                yield cast("IO[bytes]", file)
            return
        with _replacing(path.resolve()) as whole:
            yield whole
    except BrokenPipeError:
        raise
    except OSError as error:
        msg = f"-o {path}: {error}"
        raise WrongUse(msg) from error


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.name}"[:100], suffix=".part", dir=path.parent
    )
    part = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
        part.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        msg = f"{path}: {error}"
        raise WrongUse(msg) from error
    with file:
        yield file
