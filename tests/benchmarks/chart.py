"""Draws `docs/guide/performance.svg`: what a call costs against plain `requests`.

Each bar says its value in figures too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.contenders import BASE, CONTENDERS, OURS
from tests.house.svg import drawing, label

__all__ = ["chart"]

WIDTH, LEFT, RIGHT, TOP = 960, 250, 70, 92
BAR, GAP = 11.0, 14.0
MOST = 1.5
"""Where the axis ends; a longer bar is cut, and says how long it would be."""

# Each class with its property, its colour on light paper and its colour on dark paper.
COLOURS = {
    ".small": ("stroke", "#ffffff", "#161b22"),  # of the paper: a line behind does not disturb
    ".bar0": ("fill", "#2b6cb0", "#6cb6ff"),
    ".bar1": ("fill", "#b7791f", "#e3b341"),
    ".bar2": ("fill", "#2f855a", "#3fb27f"),
    ".line": ("stroke", "#1f2933", "#e6edf3"),
}
RULES = ".small {font-size:10px;stroke-width:3px;paint-order:stroke}"


def chart(bars: Mapping[str, Mapping[str, float]]) -> str:
    """Draws the ratios to plain `requests`, a group of bars for each contender."""
    keys = [key for key in CONTENDERS if any(key in series for series in bars.values())]
    group = len(bars) * BAR + GAP
    bottom = TOP + len(keys) * group
    parts = [
        label(24, 30, "Time of a call, plain requests = 1; shorter is better", "name"),
        *_key(list(bars)),
    ]
    for tenths in range(0, int(MOST * 10) + 1, 5):
        line = "line" if tenths == 10 else "grid"
        parts.append(f'<path d="M{_x(tenths / 10):.1f} {TOP - 8}V{bottom:.1f}" class="{line}"/>')
        parts.append(label(_x(tenths / 10), bottom + 18, f"{tenths / 10:g}", "key dim", "middle"))
    for number, key in enumerate(keys):
        top = TOP + number * group
        name = "name" if key == OURS else ""
        middle = top + len(bars) * BAR / 2 + 4
        parts.append(label(LEFT - 12, middle, _plain(key), name, "end"))
        for place, series in enumerate(bars.values()):
            if key in series:
                parts += _bar(series[key], top + place * BAR, place)
    title, size = "Time of a call against plain requests, shorter is better", (WIDTH, bottom + 34)
    return drawing(size, title, _told(bars, keys), parts, rules=RULES, colours=COLOURS)


def _x(ratio: float) -> float:
    return LEFT + min(ratio, MOST) / MOST * (WIDTH - LEFT - RIGHT)


def _bar(ratio: float, top: float, place: int) -> list[str]:
    width, words = _x(ratio) - LEFT, f"{ratio:.2f}"
    return [
        f'<rect x="{LEFT}" y="{top:.1f}" width="{width:.1f}" height="{BAR - 1:g}" '
        f'class="bar{place}"/>',
        label(LEFT + width + 5, top + BAR - 2, f"{words} →" if ratio > MOST else words, "small"),
    ]


def _key(names: Sequence[str]) -> list[str]:
    """Explains the bars, in the order in which they stand."""
    parts, left = [], 24.0
    for place, name in enumerate(names):
        parts.append(f'<rect x="{left:.0f}" y="46" width="18" height="11" class="bar{place}"/>')
        parts.append(label(left + 25, 56, name, "key"))
        left += 60 + 6.4 * len(name)
    return parts


def _plain(key: str) -> str:
    return CONTENDERS[key].title.replace("`", "")


def _told(bars: Mapping[str, Mapping[str, float]], keys: Sequence[str]) -> str:
    """Says in words what the bars show."""
    others = [key for key in keys if key != BASE]
    return "; ".join(
        f"{name}: "
        + ", ".join(f"{_plain(key)} {series[key]:.2f}" for key in others if key in series)
        for name, series in bars.items()
    )
