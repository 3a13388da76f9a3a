"""Draws `docs/guide/fleet.svg`.

Run `pytest -s -m slow -k thousand | python -m tests.concurrency.chart`. Of what is piped in, each
line with the moments of token requests is one curve.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TARGET = Path(__file__).parents[2] / "docs" / "guide" / "fleet.svg"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 56, 40, 24, 48
LIFETIMES, MOST, LIFETIME = 20, 30, 8.0
CURVES = (("#0b6e4f", "renewed at 80 % of their life (default)"), ("#c1440e", "at 92 %"))


def x(lifetimes: float) -> float:
    """Returns where a moment is, in pixels."""
    return LEFT + lifetimes / LIFETIMES * (WIDTH - LEFT - RIGHT)


def y(count: float) -> float:
    """Returns where a count is, in pixels."""
    return HEIGHT - BOTTOM - count / MOST * (HEIGHT - TOP - BOTTOM)


def text(left: float, top: float, words: str, anchor: str = "middle", color: str = "#333") -> str:
    """Writes words."""
    return (
        f'<text x="{left:.0f}" y="{top:.0f}" text-anchor="{anchor}" fill="{color}">{words}</text>'
    )


def curve(times: list[float], color: str) -> str:
    """Draws one step for each token request."""
    points = []
    for number, seconds in enumerate(times):
        left = x(seconds / LIFETIME)
        points += [f"{left:.1f},{y(number):.1f}", f"{left:.1f},{y(number + 1):.1f}"]
    points.append(f"{x(LIFETIMES):.1f},{y(len(times)):.1f}")
    line = " ".join(points)
    return f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>'


def chart(curves: list[list[float]]) -> str:
    """Draws the chart.

    Args:
        curves: For each run the seconds at which tokens were bought.

    Returns:
        An SVG document.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(WIDTH / 2, 22, "Token requests of 1,000 workers that share one Redis"),
        text(WIDTH / 2, HEIGHT - 10, "time, in token lifetimes"),
    ]
    for count in range(0, MOST + 1, 5):
        level = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(count):.1f}" y2="{y(count):.1f}"'
        parts += [f'<line {level} stroke="#ddd"/>', text(LEFT - 8, y(count) + 4, str(count), "end")]
    parts += [text(x(each), HEIGHT - BOTTOM + 18, str(each)) for each in range(0, 21, 5)]
    ends = f'x1="{x(0)}" y1="{y(0):.1f}" x2="{x(LIFETIMES)}" y2="{y(LIFETIMES):.1f}"'
    parts.append(f'<line {ends} stroke="#888" stroke-dasharray="4 4"/>')
    parts.append(text(x(14), y(11), "one for each lifetime", "start", "#666"))
    for number, (times, (color, words)) in enumerate(zip(curves, CURVES, strict=False)):
        parts.append(curve(times, color))
        parts.append(text(x(0.5), y(28 - 2 * number), f"{len(times)}: {words}", "start", color))
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    found = [json.loads(line) for line in re.findall(r"bought at (\[.*\])", sys.stdin.read())]
    TARGET.write_text(chart(found), encoding="utf-8")
