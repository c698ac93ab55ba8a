"""Sign-offs: made over all that is recorded of a run, found by `verify`, and true or found out."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from synapse_stream.entries.batch import GENESIS, encode_fields, seal
from synapse_stream.errors import ConfigError
from synapse_stream.events.types import SignedOff
from synapse_stream.operating.sign_off import NotSigned, Pen, statement
from synapse_stream.ports.archive import open_archive
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.reading.job_reader import JobReader
from synapse_stream.reading.stream import JobStream
from tests.support import events
from tests.support.anchoring import private_key
from tests.support.chains import Chain
from tests.support.raw import client_of

if TYPE_CHECKING:
    from synapse_stream.ports.audit import Report
    from synapse_stream.settings import Settings
    from tests.support.tampering import Deployment

JOB = "job-1"


@pytest.fixture
def signing(deployment: Deployment) -> Settings:
    """Have runs be signed off with the private key of the anchors' tests."""
    return deployment.settings.model_copy(update={"sign_off_key": private_key()})


@pytest.fixture
def chain(deployment: Deployment) -> Chain:
    """Record a run that has ended."""
    chain = Chain(JOB)
    deployment.log.append(chain.add(events.started(), events.metrics({"loss": 0.5})))
    deployment.log.append(chain.add(events.ended(count=3)))
    return chain


def sign(deployment: Deployment, settings: Settings, meaning: str = "reviewed") -> Any:
    with closing(JobReader(deployment.log, lambda: open_archive(settings))) as reader:
        return Pen.of(settings).sign(reader, deployment.log, JOB, "ada", meaning)


def verify(settings: Settings) -> Report:
    with closing(open_auditor(settings)) as auditor:
        return auditor.verify(JOB)


def signed(settings: Settings) -> SignedOff:
    found = [one.event for one in JobStream(JOB, settings).read()]
    return next(event for event in found if isinstance(event, SignedOff))


def append_as_sign_off(deployment: Deployment, settings: Settings, **changes: Any) -> None:
    """Append a sign-off like the one that is there, but for `changes`, by another name."""
    fields = {**signed(settings).model_dump(exclude_none=True), **changes}
    end = {"seq": 1, "time": 1, "type": "end", "v": 1, "status": None, "count": 2}
    lines = orjson.dumps(fields) + b"\n" + orjson.dumps(end) + b"\n"
    deployment.log.append(seal(GENESIS, JOB, "sign-off-of-somebody", 0, 1, lines))


def test_a_sign_off_is_an_event_of_the_run_and_the_run_stays_complete(
    deployment: Deployment, chain: Chain, signing: Settings
) -> None:
    made = sign(deployment, signing)
    event = signed(signing)
    deployment.project()
    keyed = signing.model_copy(update={"sign_off_keys": made.key})
    report, state = verify(keyed), JobStream(JOB, signing).state()

    assert (event.name, event.meaning, event.entries, event.root) == (
        *("ada", "reviewed"),
        *(2, made.root),
    )
    assert (report.verdict, report.findings) == (Verdict.INTACT, [])
    assert "signed off by ada at " in report.notes[-1]
    assert "reviewed; over the first 2 entries" in report.notes[-1]
    assert "is one of SYNAPSE_STREAM_SIGN_OFF_KEYS" in report.notes[-1]
    assert "is none of SYNAPSE_STREAM_SIGN_OFF_KEYS" in verify(signing).notes[-1]
    assert state is not None
    assert (state.status, state.latest.completeness.status) == ("completed", "complete")


def test_several_sign_and_each_vouches_for_those_before(
    deployment: Deployment, chain: Chain, signing: Settings
) -> None:
    first = sign(deployment, signing)
    deployment.project()  # the second is over archive and stream
    second = sign(deployment, signing, "approved")
    report = verify(signing)

    assert (first.entries, second.entries) == (2, 3)
    assert report.findings == []
    assert [note.rpartition("over the first ")[2][0] for note in report.notes[-2:]] == ["2", "3"]


def test_a_run_that_goes_on_or_is_not_there_is_not_signed(
    deployment: Deployment, signing: Settings
) -> None:
    with pytest.raises(NotSigned, match="is not known"):
        sign(deployment, signing)
    deployment.log.append(Chain(JOB).add(events.started()))
    with pytest.raises(NotSigned, match="goes on"):
        sign(deployment, signing)
    with pytest.raises(ConfigError, match="SIGN_OFF_KEY is not set"):
        sign(deployment, deployment.settings)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "eve"}, "the signature of"),
        ({"meaning": "approved"}, "the signature of"),
        ({"time": 7}, "the signature of"),
        ({"signature": "no hex"}, "the signature of"),
        ({"key": "00" * 32}, "the signature of"),
        ({"entries": 1}, "the root"),
        ({"entries": 99}, "the root"),
        ({"root": "00" * 32}, "the root"),
    ],
)
def test_a_sign_off_that_nobody_made_is_found(
    deployment: Deployment, chain: Chain, signing: Settings, changes: dict[str, Any], what: str
) -> None:
    sign(deployment, signing)
    append_as_sign_off(deployment, signing, **changes)
    report = verify(signing)

    assert report.verdict is Verdict.BROKEN
    assert {finding.producer for finding in report.findings} == {"sign-off-of-somebody"}
    assert any(finding.expected.startswith(what) for finding in report.findings)


def test_a_sign_off_of_another_run_is_found(
    deployment: Deployment, chain: Chain, signing: Settings
) -> None:
    """Over another run with the same root there could be none: the job is in what is signed."""
    sign(deployment, signing)
    event = signed(signing)
    pen = Ed25519PrivateKey.generate()
    key = pen.public_key().public_bytes_raw().hex()
    said = {**event.model_dump(), "key": key}
    append_as_sign_off(
        deployment, signing, key=key, signature=pen.sign(statement("job-2", said)).hex()
    )

    assert verify(signing).verdict is Verdict.BROKEN


def test_what_was_changed_since_is_found_by_the_root(
    deployment: Deployment, chain: Chain, signing: Settings
) -> None:
    """Whoever may write the stream chains it anew, but cannot sign."""
    sign(deployment, signing)
    there = [*deployment.log.read_after(JOB, events_begin(), limit=9)]
    forged = Chain(JOB)
    forged.add(events.started(), events.metrics({"loss": 0.1}))
    forged.add(events.ended(count=3))
    replace_stream(deployment, there, forged)
    report = verify(signing)

    assert [finding.what for finding in report.findings] == ["sign-off"]
    assert report.findings[0].expected.startswith("the root")


def events_begin() -> Any:
    from synapse_stream.entries.position import BEGINNING

    return BEGINNING


def replace_stream(deployment: Deployment, there: list[Any], forged: Chain) -> None:
    """Write the stream anew, with the same ids: the forged batches, and what stood behind them."""
    key = deployment.log.keys.job(JOB)
    raw: list[dict[Any, Any]] = [dict(entry.raw) for entry in there]
    raw[: len(forged.batches)] = [encode_fields(batch) for batch in forged.batches]
    client_of(deployment.log).execute_command("UNLINK", key)
    for entry, fields in zip(there, raw, strict=True):
        words = [word for pair in fields.items() for word in pair]
        client_of(deployment.log).execute_command("XADD", key, f"{entry.ms}-{entry.seq}", *words)


@pytest.mark.parametrize("keys", ["x", "abcd", "00" * 31])
def test_a_wrong_key_is_said(deployment: Deployment, keys: str) -> None:
    wrong = deployment.settings.model_copy(update={"sign_off_keys": keys})
    with pytest.raises(ConfigError, match="SIGN_OFF_KEYS"):
        open_auditor(wrong)


def test_a_key_that_is_none_is_said_without_it(
    deployment: Deployment, chain: Chain, signing: Settings
) -> None:
    for text in ("hidden", "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----"):
        wrong = signing.model_copy(update={"sign_off_key": SecretStr(text)})
        with pytest.raises(ConfigError, match="no Ed25519 private key") as error:
            sign(deployment, wrong)
        assert "hidden" not in str(error.value)
