"""Text for people: safe to print, and a guess at what was meant."""

from __future__ import annotations

import pytest

from vathos.system.text import did_you_mean, near_word, printable, washed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain wörds ✓", "plain wörds ✓"),
        ("two\r\nlines", "two?lines"),
        ("\x1b[31mred\x07", "?[31mred?"),
        ("\u202eright to left", "?right to left"),
        ("\udcff", "?"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text: str, shown: str) -> None:
    """Escape sequences, line ends and directions become a mark; all else stays."""
    assert printable(text) == shown


def test_length_and_mark_can_be_chosen() -> None:
    """A long text is cut, the marks included."""
    assert printable("a\n\nb" * 100, longest=5, mark=" ") == "a ba "


@pytest.mark.fault(51)
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("at redis://ada:secret@host:1/0 failed", "at redis://***@host:1/0 failed"),
        ("'http://ada:p/a#s?s w@rd@host:x'", "'http://***@host:x'"),
        ("ada:secret@host", "***@host"),
        ("mail to ada@host.example, \x1b[31mnow", "mail to ada@host.example,  [31mnow"),
        ("the hidden word, hid twice: hidden", "the *** word, *** twice: ***"),
        ("plain: words", "plain: words"),
    ],
)
def test_words_of_others_are_washed(words: str, shown: str) -> None:
    """What is hidden, the login of a URL, and what a terminal would obey are taken out."""
    assert washed(words, ("hid", "hidden", "")) == shown


def test_washing_a_long_text_takes_no_time() -> None:
    """A server that sends a megabyte of what looks like a login keeps nobody busy."""
    for text in ("x:" * 500_000, "x:" * 500_000 + " @", "//" * 500_000, "@:" * 500_000):
        assert len(washed(text, longest=200)) <= 200


def test_near_word_is_asked_for() -> None:
    """A typing mistake is answered with the word that was meant, a wild guess with nothing."""
    words = {"token": 1, "status": 2}
    assert did_you_mean("tokne", words) == " (did you mean 'token'?)"
    assert did_you_mean("xyzzy", words) == ""


def test_likeness_can_be_chosen() -> None:
    """A higher bar finds fewer."""
    assert near_word("stat", ["status"]) == "status"
    assert near_word("stat", ["status"], cutoff=0.9) is None
