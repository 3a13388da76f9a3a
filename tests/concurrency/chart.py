"""Draws `docs/guide/fleet.svg`.

Run `pytest -s -m slow -k thousand tests/concurrency | python -m tests.concurrency.chart`.
Of what is piped in, each line with the moments of token requests is one curve.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.house.svg import drawing, label

TARGET = Path(__file__).parents[2] / "docs" / "guide" / "fleet.svg"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 56, 40, 24, 48
LIFETIMES, MOST, LIFETIME = 20, 30, 8.0
TITLE = "Token requests of 1,000 workers that share one Redis"
CURVES = ("renewed at 80 % of their lifetime (default)", "at 92 %")
COLOURS = {
    ".line0": ("stroke", "#0b6e4f", "#3fb27f"),
    ".line1": ("stroke", "#c1440e", "#ff9e64"),
    ".word0": ("fill", "#0b6e4f", "#3fb27f"),
    ".word1": ("fill", "#c1440e", "#ff9e64"),
    ".least": ("stroke", "#888888", "#9aa5b1"),
}
RULES = "path {fill:none;stroke-width:2}.grid {stroke-width:1}.least {stroke-dasharray:4 4}"


def x(lifetimes: float) -> float:
    """Returns where a moment is, in pixels."""
    return LEFT + lifetimes / LIFETIMES * (WIDTH - LEFT - RIGHT)


def y(count: float) -> float:
    """Returns where a count is, in pixels."""
    return HEIGHT - BOTTOM - count / MOST * (HEIGHT - TOP - BOTTOM)


def curve(times: Sequence[float], kind: str) -> str:
    """Draws one step for each token request."""
    ends = [*(x(each / LIFETIME) for each in times), x(LIFETIMES)]
    steps = "".join(f"V{y(n):.1f}H{end:.1f}" for n, (_, end) in enumerate(pairwise(ends), 1))
    return f'<path d="M{ends[0]:.1f} {y(0):.1f}{steps}" class="{kind}"/>'


def chart(curves: Sequence[Sequence[float]]) -> str:
    """Draws the seconds at which each run requested tokens."""
    parts = [
        label(WIDTH / 2, 22, TITLE, "", "middle"),
        label(WIDTH / 2, HEIGHT - 10, "time, in token lifetimes", "", "middle"),
        *(label(x(at), HEIGHT - BOTTOM + 18, str(at), "", "middle") for at in range(0, 21, 5)),
    ]
    for count in range(0, MOST + 1, 5):
        parts.append(f'<path d="M{LEFT} {y(count):.1f}H{WIDTH - RIGHT}" class="grid"/>')
        parts.append(label(LEFT - 8, y(count) + 4, str(count), "", "end"))
    parts.append(f'<path d="M{x(0)} {y(0):.1f}L{x(LIFETIMES)} {y(LIFETIMES):.1f}" class="least"/>')
    parts.append(label(x(14), y(11), "one for each lifetime", "dim"))
    told = [f"{len(times)}: {words}" for times, words in zip(curves, CURVES, strict=False)]
    for number, (times, words) in enumerate(zip(curves, told, strict=False)):
        parts.append(curve(times, f"line{number}"))
        parts.append(label(x(0.5), y(28 - 2 * number), words, f"word{number}"))
    return drawing((WIDTH, HEIGHT), TITLE, "; ".join(told), parts, rules=RULES, colours=COLOURS)


if __name__ == "__main__":
    found = [json.loads(line) for line in re.findall(r"at (\[.*\])", sys.stdin.read())]
    TARGET.write_text(chart(found), encoding="utf-8")
