"""Nothing is taken for dead or whole because nothing speaks against it."""

from __future__ import annotations

import pytest

from synapse_stream.producer.adoption.belonging import Mandate, why_not
from synapse_stream.producer.adoption.verdict import Evidence, Kernel, Kind, Process, judge
from synapse_stream.producer.spool.info import ProducerInfo
from synapse_stream.settings import Settings

DEAD = Evidence(
    is_locked=False, is_kept=False, kernel=Kernel.THIS, process=Process.GONE, host="there"
)
HERE = Settings(redis_url="redis://127.0.0.1:6379/0", namespace="ours")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({}, Kind.WHOLE),
        ({"is_locked": True}, Kind.LIVING),
        ({"is_kept": True}, Kind.LIVING),  # its descriptors were closed
        ({"is_kept": True, "kernel": Kernel.OTHER}, Kind.LIVING),
        ({"is_locked": True, "is_copy": True}, Kind.LIVING),
        ({"process": Process.RUNS}, Kind.WHOLE),  # another program in its place, by `exec`
        ({"process": Process.UNSEEN}, Kind.WHOLE),  # in another container of this kernel
        ({"is_kept": None}, Kind.WHOLE),
        ({"is_kept": None, "process": Process.RUNS}, Kind.LIVING),
        ({"is_kept": None, "process": Process.UNSEEN}, Kind.UNPROVED),
        ({"kernel": Kernel.OTHER}, Kind.UNPROVED),
        ({"kernel": Kernel.OTHER, "process": Process.UNSEEN}, Kind.UNPROVED),
        ({"kernel": Kernel.EARLIER, "process": Process.UNSEEN}, Kind.REST),
        ({"kernel": Kernel.EARLIER, "is_kept": None}, Kind.REST),
        ({"missing": ("its shared memory",)}, Kind.PART),
        ({"missing": ("its disk",), "kernel": Kernel.EARLIER}, Kind.PART),
        ({"is_copy": True}, Kind.UNPROVED),
        ({"is_copy": True, "kernel": Kernel.EARLIER}, Kind.UNPROVED),
    ],
)
def test_what_follows_from_what_was_found(found: dict[str, object], kind: Kind) -> None:
    verdict = judge(DEAD._replace(**found))  # type: ignore[arg-type]

    assert verdict.kind is kind
    assert (verdict.reason == "") is (kind not in {Kind.UNPROVED, Kind.PART})


def described(url: str | None, namespace: str = "ours") -> ProducerInfo:
    settings = Settings(redis_url=url, namespace=namespace, data_dir="/data")  # type: ignore[arg-type]
    return ProducerInfo.of(settings, "p1", "job-1", 0, None)


@pytest.mark.parametrize(
    ("url", "namespace", "claims", "is_explicit", "is_ours", "goes"),
    [
        # accepted by a deployment: its own only, however the server is spelled
        ("redis://elsewhere", "other", ["d1"], False, True, True),
        ("redis://127.0.0.1:6379/0", "ours", ["d2"], False, True, False),
        ("redis://127.0.0.1:6379/0", "ours", ["d2"], True, True, False),
        ("redis://127.0.0.1:6379/0", "ours", ["d2", "d1"], False, True, True),
        (None, "ours", ["d2"], True, True, False),
        # accepted by none
        (None, "ours", [], False, True, True),
        (None, "ours", [], True, False, False),
        ("redis://localhost", "ours", [], False, True, True),
        ("redis://localhost", "ours", [], False, False, True),
        ("redis://localhost", "other", [], False, True, False),
        ("redis://elsewhere", "ours", [], False, True, False),
        ("redis://elsewhere", "ours", [], True, True, True),
        ("redis://elsewhere", "ours", [], True, False, False),
    ],
)
def test_spools_go_where_they_belong(
    url: str | None,
    namespace: str,
    claims: list[str],
    is_explicit: bool,
    is_ours: bool,
    goes: bool,
) -> None:
    mandate = Mandate(is_explicit=is_explicit)

    reason = why_not(described(url, namespace), claims, "d1", HERE, mandate, is_ours=is_ours)

    assert (reason is None) is goes


def test_an_operator_may_name_a_deployment_whose_place_this_one_took() -> None:
    mandate = Mandate(is_explicit=True, deployments=["d2"])

    assert why_not(described(None), ["d2"], "d1", HERE, mandate, is_ours=True) is None
    assert "d3" in str(why_not(described(None), ["d3"], "d1", HERE, mandate, is_ours=True))
