"""A plot as SVG: a dot for each series in each column, over a logarithmic axis. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from math import inf, log10
from typing import Final, NamedTuple

COLOURS: Final = ("#0b6e4f", "#c1121f", "#e09f3e", "#8d6a9f", "#3a86ff", "#6c757d")
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 860, 400, 60, 60, 40


class Dot(NamedTuple):
    """A value, and how sure it is; what lies beyond the axis is drawn at its end."""

    value: float
    low: float
    high: float


def svg(
    title: str,
    columns: Sequence[str],
    series: Mapping[str, Sequence[Dot | None]],
    axis: tuple[float, float],
) -> str:
    """``series`` have a dot for each of the columns, None where there is nothing to show."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    step = (_WIDTH - _LEFT - 20) / len(columns)
    power = 10.0 ** round(log10(axis[0]))
    while power <= axis[1]:
        if power >= axis[0]:
            y = _height(power, axis)
            parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - 20}" stroke="#ddd"/>')
            parts.append(
                f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{power:g}</text>'
            )
        power *= 10
    for place, column in enumerate(columns):
        x = _LEFT + (place + 0.5) * step
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - 15}" text-anchor="middle" font-size="10">'
            f"{escape(column)}</text>"
        )
    for number, (name, dots) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        x = _LEFT + 130 * number
        parts.append(f'<circle cx="{x + 5}" cy="40" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="44">{escape(name)}</text>')
        for place, dot in enumerate(dots):
            x_dot = _LEFT + (place + (number + 1) / (len(series) + 1)) * step
            parts += _drawn(dot, x_dot, colour, axis)
    return "\n".join([*parts, "</svg>\n"])


def _drawn(dot: Dot | None, x: float, colour: str, axis: tuple[float, float]) -> list[str]:
    if dot is None:
        return []
    low, value, high = (_height(number, axis) for number in (dot.low, dot.value, dot.high))
    fill = "white" if dot.value == inf else colour
    return [
        f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}"/>',
        f'<circle cx="{x:.1f}" cy="{value:.1f}" r="4" fill="{fill}" stroke="{colour}"/>',
    ]


def _height(number: float, axis: tuple[float, float]) -> float:
    least, most = axis
    share = log10(min(max(number, least), most) / least) / log10(most / least)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
