"""What the drawings of the guide share: SVG with the colours of light or dark paper, and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["COLOURS", "drawing", "label"]

# Each class with its property, its colour on light paper and its colour on dark paper.
COLOURS = {
    ".paper": ("fill", "#ffffff", "#161b22"),
    "text": ("fill", "#1f2933", "#e6edf3"),
    ".dim": ("fill", "#616e7c", "#9aa5b1"),
    ".grid": ("stroke", "#e4e7eb", "#2d333b"),
}
_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_RULES = f"text {{font:13px {_FONTS}}}.key {{font-size:12px}}.name {{font-weight:600}}"


def drawing(
    size: tuple[float, float],
    title: str,
    told: str,
    parts: Iterable[str],
    *,
    rules: str,
    colours: Mapping[str, tuple[str, str, str]],
) -> str:
    """Returns an SVG document; `told` says in words what it shows, `rules` is more CSS."""
    # No custom properties, which some viewers do not know.
    light, dark = (
        "".join(f"{name} {{{each[0]}:{each[paper]}}}" for name, each in (COLOURS | colours).items())
        for paper in (1, 2)
    )
    width, height = size
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'role="img" aria-labelledby="title told">',
        f'<title id="title">{title}</title>',
        f'<desc id="told">{told}</desc>',
        f"<style>{_RULES}{rules}{light}@media (prefers-color-scheme: dark) {{{dark}}}</style>",
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}" rx="8"/>',
    ]
    return "\n".join([*head, *(part for part in parts if part), "</svg>", ""])


def label(left: float, top: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Returns words."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}"{named}>{words}</text>'
