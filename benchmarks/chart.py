"""The figures as one drawing: a bar for each way, as a multiple of ours."""

from collections.abc import Sequence
from html import escape

from benchmarks.figures import Figure

_BAR, _GAP, _LEFT, _WIDTH = 14, 12, 330, 860
_MOST = 12.0
"""Longer bars are cut; the number beside them is right."""
_OURS, _OTHERS = "#2f6f8f", "#b9c6cd"


def show_times(ratio: float) -> str:
    """`2.4 times`, `212 times`."""
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.2g} times"  # noqa: PLR2004


def draw_chart(figures: Sequence[Figure]) -> str:
    """An SVG of the figures that somebody else was measured for too."""
    parts: list[str] = []
    y = 30
    for figure in figures:
        if len(figure.values) == 1:
            continue
        parts.append(f'<text x="10" y="{y}" font-weight="600">{escape(figure.title)}</text>')
        y += 8
        for number, (name, value) in enumerate(figure.values.items()):
            times = value / figure.ours
            length = (_WIDTH - _LEFT - 90) * min(times, _MOST) / _MOST
            colour = _OTHERS if number else _OURS
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(name)}</text>'
                f'<rect x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}" fill="{colour}"/>'
                f'<text x="{_LEFT + length + 6:.0f}" y="{y + 11}">{show_times(times)}</text>'
            )
            y += _BAR + 4
        y += _GAP + 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        f'font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" '
        f'fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
