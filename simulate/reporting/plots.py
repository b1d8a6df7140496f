"""The plots of ``docs/simulation.md``: one for each of three parts, drawn by matplotlib as SVG.

The same cells give the same file. All lines and texts are mid-toned on a transparent background,
so that a plot can be read on a light page and on a dark one.
"""

from collections.abc import Sequence
from io import StringIO
from math import inf
from typing import Any, Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from simulate.deciders.decider import DECIDERS
from simulate.worlds.cells import Cell
from simulate.worlds.scenarios import BROKEN_EXECUTIONS, HEALTHY_EXECUTIONS

PLOTS: Final = ("healthy", "bursts", "broken")
"""The parts that have a plot."""
_COLOURS: Final = ("#1a9e72", "#e0484f", "#d08a1d", "#a07fc0", "#3a86ff", "#8a939b")
"""One for each decider, in their order."""
_INK: Final = "#7d858c"
"""Of texts and lines."""
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "simulation",  # else the ids in the file are drawn anew each time
    "svg.fonttype": "none",  # texts stay texts
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


class _Dot(NamedTuple):
    """A value with the ends of its interval; infinite if the version was never rolled back."""

    value: float
    low: float
    high: float


class _Axis(NamedTuple):
    """The ends of a logarithmic axis; a value outside of them is drawn at the nearer end."""

    least: float
    most: float

    def clip(self, value: float) -> float:
        return min(max(value, self.least), self.most)


def plot(part: str, cells: Sequence[Cell]) -> str:
    """Return the plot of a part as SVG; "" if it has none.

    A plot shows the scenarios with 500 executions of the baseline version if its part is `broken`,
    and those with 100 executions otherwise.
    """
    if part not in PLOTS:
        return ""
    known = 500 if part == "broken" else 100
    chosen = [cell for cell in cells if cell.scenario.baseline.executions == known]
    axis = _Axis(1.0, float(BROKEN_EXECUTIONS)) if part == "broken" else _Axis(0.01, 100.0)
    return _drawn(_title(part, known), chosen, axis)


def _title(part: str, known: int) -> str:
    if part == "broken":
        return (
            "Executions until rollback, median; a ring: never "
            f"({known} executions of the baseline version)"
        )
    bursts = "in bursts, " if part == "bursts" else ""
    return (
        f"Healthy versions rolled back within {HEALTHY_EXECUTIONS} executions, %, {bursts}by "
        f"success rate ({known} executions of the baseline version)"
    )


def _drawn(title: str, cells: Sequence[Cell], axis: _Axis) -> str:
    """Return a plot with a column for each scenario and, in it, a dot for each decider."""
    columns = list(dict.fromkeys(cell.scenario.name for cell in cells))
    deciders = [name for name in DECIDERS if any(cell.decider == name for cell in cells)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(10.4, 4.6), layout="constrained")
        axes = figure.add_subplot()
        _set_up_axes(axes, title, [_short(name) for name in columns], axis)
        for number, decider in enumerate(deciders):
            offset = (number + 1) / (len(deciders) + 1) - 0.5
            colour = _COLOURS[list(DECIDERS).index(decider)]
            axes.plot([], [], "o", color=colour, label=decider)  # the entry of the legend
            for cell in cells:
                if cell.decider == decider and (dot := _dot(cell)) is not None:
                    _draw_dot(axes, columns.index(cell.scenario.name) + offset, dot, colour, axis)
        axes.legend(
            ncols=len(deciders), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False
        )
        svg = StringIO()
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return "\n".join(line.rstrip() for line in svg.getvalue().splitlines()) + "\n"


def _set_up_axes(axes: Axes, title: str, columns: Sequence[str], axis: _Axis) -> None:
    axes.set_title(title, pad=26)
    axes.set_yscale("log")
    axes.set_ylim(axis.least * 0.85, axis.most * 1.18)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color=_INK, alpha=0.35)
    axes.set_axisbelow(True)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.tick_params(axis="x", length=0)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_dot(axes: Axes, x: float, dot: _Dot, colour: str, axis: _Axis) -> None:
    axes.plot([x, x], [axis.clip(dot.low), axis.clip(dot.high)], color=colour)
    fill = "none" if dot.value == inf else colour
    axes.plot(x, axis.clip(dot.value), "o", color=colour, markerfacecolor=fill)


def _short(name: str) -> str:
    """Return the part of a scenario's name that tells it from its neighbours in a plot."""
    varying = name.rpartition(", ")[0].removesuffix(" before").removesuffix(" of the calls")
    return (
        varying.replace("total break, ", "0 after ")
        .replace("signature break for", "signature")
        .split(":")[0]
    )


def _dot(cell: Cell) -> _Dot | None:
    """Return what a plot shows of a cell; None if no version was left to be rolled back."""
    if cell.scenario.is_healthy:
        low, high = cell.bounds
        return _Dot(100 * cell.too_early / cell.repetitions, 100 * low, 100 * high)
    middle = cell.median
    return None if middle is None else _Dot(middle, middle, middle)
