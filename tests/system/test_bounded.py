"""The mapping that forgets the oldest."""

from __future__ import annotations

from vathos.system.bounded import Bounded


def test_oldest_entry_is_forgotten() -> None:
    """It holds as many entries as it may."""
    some = Bounded[int, str](2)
    some[1], some[2], some[3] = "abc"
    assert dict(some) == {2: "b", 3: "c"}


def test_entry_set_again_is_the_newest() -> None:
    """Age counts from the last time an entry was set; reading it changes nothing."""
    some = Bounded[int, str](2)
    some[1], some[2], some[1] = "abc"
    assert some.get(2) == "b"
    some[3] = "d"
    assert dict(some) == {1: "c", 3: "d"}
