"""Descriptors that are set aside: lent when no others are left, and never somebody else's."""

from __future__ import annotations

import subprocess
import sys
import textwrap

HEAD = """
import os, resource
from synapse_stream.system.descriptors import SetAside, place_of

def use_up():
    held = []
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        return held

def can_open():
    try:
        os.close(os.dup(0))
    except OSError:
        return False
    return True

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
ours = SetAside()
"""


def run(script: str) -> None:
    subprocess.run([sys.executable, "-c", HEAD + textwrap.dedent(script)], check=True)


def test_they_are_free_in_a_block_where_no_others_are() -> None:
    run(
        """
        ours.fill()
        held = use_up()
        with ours.lent():
            files = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
            for file in files:
                os.close(file)
        assert not can_open()
        with ours.lent():
            kept = os.open(os.devnull, os.O_RDONLY)
        with ours.lent():
            assert can_open()
        """
    )


def test_where_there_are_others_none_is_touched() -> None:
    run(
        """
        ours.fill()
        before = list(ours._held)
        with ours.lent():
            assert ours._held == before
        """
    )


def test_a_small_part_of_the_limit_is_set_aside_and_none_of_a_tiny_one() -> None:
    run(
        """
        ours.fill()
        assert len(ours._held) == 8
        resource.setrlimit(resource.RLIMIT_NOFILE, (15, 128))
        other = SetAside()
        other.fill()
        assert other._held == []
        held = use_up()
        with other.lent():
            assert not can_open()
        """
    )


def test_a_number_that_was_closed_and_is_another_files_now_stays_open() -> None:
    run(
        """
        ours.fill()
        numbers = list(ours._held)
        os.closerange(3, 128)
        own = [os.dup(0) for _ in numbers]
        assert set(own) == set(numbers)
        held = use_up()
        with ours.lent():
            pass
        assert {place_of(number) for number in own} == {place_of(0)}
        os.close(held[0])
        ours.fill()
        assert {place_of(number) for number in own} == {place_of(0)}
        """
    )
