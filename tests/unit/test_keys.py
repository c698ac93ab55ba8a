"""Key names: what shares a slot, what is apart."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from synapse_stream.entries.keys import Keys

job_ids = st.text(st.characters(codec="utf-8"), min_size=1)


def test_the_key_names_are_written_down() -> None:
    keys = Keys("synapse", 16)

    assert keys.config == "synapse:config"
    assert keys.partition("job-42") == 15
    assert keys.job("job-42") == "synapse:{15.1c2j}:job:job-42"
    assert keys.producers("job-42") == "synapse:{15.1c2j}:producers:job-42"
    assert keys.feed(15) == "synapse:{15.1c2j}:feed"


@given(job_id=job_ids, partitions=st.integers(1, 4096))
def test_all_keys_of_a_job_are_in_one_cluster_slot(job_id: str, partitions: int) -> None:
    keys = Keys("synapse", partitions)
    partition = keys.partition(job_id)

    assert 0 <= partition < partitions
    names = [keys.job(job_id), keys.producers(job_id), keys.feed(partition)]
    assert len({key_slot(name.encode()) for name in names}) == 1
    assert len(set(names)) == 3


@pytest.mark.parametrize("partitions", [1, 2, 16, 64, 100, 256, 4096])
def test_the_slots_of_the_partitions_stand_at_equal_distances(partitions: int) -> None:
    keys = Keys("synapse", partitions)

    slots = [key_slot(keys.feed(number).encode()) for number in range(partitions)]

    assert slots == [number * 16_384 // partitions for number in range(partitions)]


@pytest.mark.parametrize("partitions", [16, 64, 256])
def test_no_node_of_a_cluster_has_more_than_its_share(partitions: int) -> None:
    keys = Keys("synapse", partitions)
    slots = [key_slot(keys.feed(number).encode()) for number in range(partitions)]

    for nodes in range(1, 65):
        # as redis-cli deals them
        cuts = [round(node * 16_384 / nodes) for node in range(nodes + 1)]
        counts = [sum(first <= slot < end for slot in slots) for first, end in pairwise(cuts)]
        assert max(counts) == ceil(partitions / nodes)
        assert min(counts) == partitions // nodes


@given(one=job_ids, two=job_ids)
def test_different_jobs_have_different_keys(one: str, two: str) -> None:
    keys = Keys("synapse", 16)

    assert (keys.job(one) == keys.job(two)) == (one == two)
    assert keys.producers(one) != keys.job(two)
