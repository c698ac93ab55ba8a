"""How consumers share the partitions."""

from __future__ import annotations

import pytest

from consumers.projector.sharing import balance

PARTITIONS = 16


@pytest.mark.parametrize("members", [1, 2, 3, 5, 16, 20])
def test_shares_differ_by_one_at_most_and_add_up(members: int) -> None:
    names = [f"m{number:02}" for number in range(members)]

    wanted = [balance(name, names, [], PARTITIONS).wanted for name in reversed(names)]

    assert sum(wanted) == PARTITIONS
    assert max(wanted) - min(wanted) <= 1


def test_what_exceeds_the_share_is_given_back() -> None:
    assert balance("a", ["b", "a"], range(PARTITIONS), PARTITIONS) == (list(range(8, 16)), 0)
    assert balance("a", ["b", "a"], [9, 3], PARTITIONS) == ([], 6)


@pytest.mark.parametrize("others", [[], ["b"]])
def test_an_owner_whose_membership_has_lapsed_counts_all_the_same(others: list[str]) -> None:
    assert balance("a", others, [], PARTITIONS).wanted == PARTITIONS // (1 + len(others))
