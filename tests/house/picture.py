"""Draws `docs/guide/renewal.svg` from a run of the demo: `python -m tests.house.picture`.

What is drawn is what the server recorded and what the sessions reported.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.house.svg import drawing, label
from vathos.commands.demo.command import Demo
from vathos.commands.demo.incidents import Stage
from vathos.commands.demo.job import LIFETIME
from vathos.commands.terminal import Screen
from vathos.events import Event, RenewalFailed, Renewed, Replayed
from vathos.testing.records import RecordedRequest

TARGET = Path(__file__).parents[2] / "docs" / "guide" / "renewal.svg"
SECONDS, STALE = 12.0, 0.5
END = SECONDS + 0.6
WIDTH, LEFT, RIGHT = 960, 24, 24
BAND, ROW, GAP = 138.0, 15.0, 3.0

COLOURS = {
    ".word": ("fill", "#c53030", "#ff7b72"),
    ".small": ("fill", "#ffffff", "#0d1117"),
    ".fresh": ("fill", "#2f855a", "#3fb27f"),
    ".stale": ("fill", "#d69e2e", "#e3b341"),
    ".fail": ("fill", "#c53030", "#ff7b72"),
    ".down": ("fill", "#fed7d7", "#4b2225"),
    ".call": ("stroke", "#2b6cb0", "#6cb6ff"),
    ".dead": ("stroke", "#c53030", "#ff7b72"),
    ".no": ("stroke", "#c53030", "#ff7b72"),
    ".blow": ("stroke", "#c53030", "#ff7b72"),
}


RULES = (
    ".small {font-size:11px}.dead {fill:none;stroke-dasharray:2 2}.call {stroke-opacity:.7}"
    ".no {stroke-width:2}.blow {stroke-width:1.5}"
)


class Life(NamedTuple):
    """An access token: when it was issued, when it would expire, and by which grant it came."""

    start: float
    end: float
    grant: str


@dataclass
class Story:
    """What happened to one identity; all times are seconds since the start."""

    name: str
    lives: list[Life] = field(default_factory=list)
    blows: list[float] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)
    replays: list[float] = field(default_factory=list)
    calls: list[tuple[float, int]] = field(default_factory=list)

    def ends(self, life: Life) -> tuple[float, bool]:
        """Tells when a token really ended, and whether that was before its time."""
        blow = next((at for at in self.blows if life.start < at < life.end), None)
        return (life.end, False) if blow is None else (blow, True)


class Filmed(Demo):
    """The demo, with everything that it tells kept."""

    def __init__(self) -> None:
        super().__init__(Screen(io.StringIO()), seconds=SECONDS)
        self.heard: list[tuple[float, str, Event | str]] = []
        self.told: list[tuple[float, str]] = []
        self.requests: tuple[RecordedRequest, ...] = ()
        self.began = 0.0

    def _play(self, stage: Stage) -> None:
        self.began = time.time()
        try:
            super()._play(stage)
        finally:
            self.requests = stage.server.requests

    def _event(self, name: str, event: Event | str) -> None:
        self.heard.append((time.time() - self.began, name, event))
        super()._event(name, event)

    def _tell(self, text: str, kind: str = "incident") -> None:
        if kind == "incident":
            self.told.append((time.time() - self.began, text))
        super()._tell(text, kind)


def stories(film: Filmed) -> list[Story]:
    """Sorts what was filmed by identity: the person's story, then the service account's."""
    found: dict[str, Story] = {}
    for at, name, event in film.heard:
        story = found.setdefault(name, Story(name))
        if isinstance(event, Renewed) and event.expires_at is not None:
            end = event.expires_at - film.began
            story.lives.append(Life(end - LIFETIME, end, event.grant))
        elif isinstance(event, RenewalFailed):
            story.failures.append(at)
        elif isinstance(event, Replayed):
            story.replays.append(at)
    client = next(request.client_id for request in film.requests)
    for request in film.requests:
        if request.endpoint == "api" and request.status is not None:
            name = request.username or str(client)
            found[name].calls.append((request.time - film.began, request.status))
    for at, text in film.told:
        for story in found.values():
            if "revokes all" in text or f"logs {story.name} out" in text:
                story.blows.append(at)
    return sorted(found.values(), key=lambda story: story.name == client)


def x(at: float) -> float:
    """Tells where a moment is, in pixels."""
    return LEFT + min(at, END) / END * (WIDTH - LEFT - RIGHT)


def box(start: float, end: float, top: float, height: float, kind: str, note: str = "") -> str:
    """Draws a stretch of time, with a note for those who point at it."""
    title = f"<title>{note}</title>" if note else ""
    return (
        f'<rect x="{x(start):.1f}" y="{top:.1f}" width="{max(x(end) - x(start), 0):.1f}" '
        f'height="{height:.1f}" class="{kind}">{title}</rect>'
    )


def strokes(times: Sequence[float], top: float, height: float, kind: str) -> str:
    """Draws one upright stroke for each moment, all in one path."""
    path = "".join(f"M{x(at):.1f} {top:g}v{height:g}" for at in times)
    return f'<path d="{path}" class="{kind}"/>' if path else ""


def bars(story: Story, top: float) -> list[str]:
    """Draws the tokens, each below the one before it."""
    parts = []
    for number, life in enumerate(story.lives):
        row = top + number % 3 * (ROW + GAP)
        end, early = story.ends(life)
        turn = min(life.start + STALE * LIFETIME, end)
        grant = life.grant.replace("_", " ")
        parts.append(box(life.start, turn, row, ROW, "fresh", f"by {grant}, fresh"))
        parts.append(box(turn, end, row, ROW, "stale", "stale"))
        if early:
            parts.append(box(end, life.end, row + 0.5, ROW - 1, "dead", "ended early"))
        short = {"refresh_token": "refresh", "client_credentials": "client"}
        if x(turn) - x(life.start) > 52:
            parts.append(
                label(x(life.start) + 4, row + 11.5, short.get(life.grant, life.grant), "small")
            )
    return parts


def band(story: Story, top: float, title: str) -> list[str]:
    """Draws the story of one identity: its tokens, and its calls below them."""
    calls = top + 3 * (ROW + GAP) + 22
    refused = [at for at, status in story.calls if status == 401]
    answered = [at for at, status in story.calls if status == 200]
    first = story.lives[0]
    parts = [
        label(x(0), top - 8, title, "name"),
        *bars(story, top),
        label(x(first.start), calls - 5, f"{len(answered)} calls answered", "key dim"),
        strokes(answered, calls, 14, "call"),
        strokes(refused, calls + 17, 9, "no"),
    ]
    for blow, after in zip(story.blows, [*story.blows[1:], SECONDS], strict=True):
        count = sum(blow <= at < after for at in refused)
        words = f"{count} \u00d7 401, retried"
        parts.append(label(x(blow) + 12, calls + 25.5, words, "key dim"))
    parts += [
        f'<circle cx="{x(at):.1f}" cy="{top + 3 * (ROW + GAP) + 4:.1f}" r="3.5" '
        f'class="fail"><title>a renewal failed; the old token is used</title></circle>'
        for at in story.failures
    ]
    return parts


def incidents(film: Filmed, top: float, middle: float, bottom: float) -> list[str]:
    """Draws what the administrator did, and the outage, through all bands."""
    parts, down = [], 0.0
    for at, text in film.told:
        if "goes down" in text:
            down = at
        elif "up again" in text:
            parts.append(box(down, at, top, bottom - top, "down"))
            parts.append(
                label((x(down) + x(at)) / 2, top - 8, "token endpoint down", "word", "middle")
            )
        else:
            everybody = "revokes all" in text
            words = "all access tokens revoked" if everybody else "ada logged out"
            parts.append(strokes([at], top, (bottom if everybody else middle) - top, "blow"))
            parts.append(label(x(at), top - 8, words, "word", "middle"))
    return parts


def key(top: float) -> list[str]:
    """Explains the signs."""
    signs = [
        ('<rect width="22" height="11" y="-10" class="fresh"/>', "fresh", 78),
        (
            '<rect width="22" height="11" y="-10" class="stale"/>',
            "stale: still works",
            166,
        ),
        ('<rect width="22" height="11" y="-10" class="dead"/>', "ended early", 168),
        ('<path d="M11 -12v14" class="call"/>', "call", 60),
        ('<path d="M11 -9v9" class="no"/>', "call answered 401", 176),
        ('<circle cx="11" cy="-4" r="3.5" class="fail"/>', "failed renewal", 160),
    ]
    parts, left = [], float(LEFT)
    for sign, words, width in signs:
        parts.append(f'<g transform="translate({left:.0f} {top:.0f})">{sign}')
        parts.append(label(28, 0, words, "key") + "</g>")
        left += width
    return parts


def picture(film: Filmed) -> str:
    """Draws everything, as an SVG document."""
    top, bottom = 62.0, 62.0 + 2 * BAND
    person, service = stories(film)
    seconds = range(int(SECONDS) + 1)
    parts = [
        *incidents(film, 34, top + BAND - 28, bottom),
        strokes([float(at) for at in seconds], 34, bottom - 34, "grid"),
        *band(person, top, f"{person.name}: password grant"),
        *band(service, top + BAND, f"{service.name}: client credentials"),
        *(label(x(at), bottom + 16, f"{at} s", "key dim", "middle") for at in seconds),
        *key(bottom + 44),
    ]
    title = "Tokens, renewals, faults and calls of a run of the demo"
    told = "; ".join(
        f"{story.name}: {len(story.lives)} tokens, {len(story.calls)} calls, "
        f"{len(story.replays)} retried after a 401, {len(story.failures)} failed renewals"
        for story in (person, service)
    )
    return drawing((WIDTH, bottom + 62), title, told, parts, rules=RULES, colours=COLOURS)


def main() -> int:
    """Runs the demo and draws it; returns 1 if a call of the demo failed."""
    film = Filmed()
    report = film.run()
    TARGET.write_text(picture(film), encoding="utf-8")
    print(f"{report.verdict()}\n{TARGET}: {TARGET.stat().st_size} bytes")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
