"""Lines with bands: convergence against steps, error against contamination, and whatever else is a curve."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._labels import label_ends
from ._panels import panels, styled, wrapped
from ._style import OKABE_ITO, Style, styles


Scale = Literal["linear", "log", "symlog"]
MARKS = 8  # markers on a line: enough to tell it by, few enough to see it


class Curve(NamedTuple):
    """One line: its points, and the ends of its band where it is uncertain. Points that are not finite are left out."""

    x: Any
    y: Any
    low: Any = None
    high: Any = None


Curves = Mapping[str, Any]


def convergence(
    curves: Curves,
    *,
    xlabel: str = "steps",
    ylabel: str = "cost − minimum (cost's unit)",
    title: str = "",
    reference: Curves | None = None,
    **options: Any,
) -> Figure:
    """Suboptimality on a logarithmic axis; a line that reaches 0 ends there. The arguments are those of `curve`."""
    return curve(curves, xlabel=xlabel, ylabel=ylabel, title=title, reference=reference, yscale="log", **options)


@styled
def curve(
    curves: Curves,
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    reference: Curves | None = None,
    xscale: Scale = "linear",
    yscale: Scale = "linear",
    ylim: tuple[float, float] | None = None,
    columns: int = 3,
    size: tuple[float, float] | None = None,
    sharey: bool = True,
) -> Figure:
    """Lines, each named at its end, with a band where its uncertainty is given.

    Args:
        curves: name -> `Curve` (or a tuple x, y, or x, y, low, high); or several panels: title -> such a mapping.
        xlabel, ylabel: what the axes show, with the unit.
        title: of a single panel.
        reference: what theory expects, name -> curve, drawn thin and dashed; or by panel, as `curves`.
        xscale, yscale: "linear", "log" or "symlog".
        ylim: the ends of the vertical axis.
        columns, size, sharey: of the grid of panels; size in inches.
    """
    groups = _by_panel(curves, title)
    beside = _by_panel(reference or {}, title) if reference else {}
    alone = len(groups) == 1
    width, height = size or ((8.0, 4.8) if alone else (5.2, 3.8))
    figure, grid = panels(len(groups), columns=columns, size=(width, height), sharey=sharey and not alone)
    # One table of styles for the figure, so that a name is drawn alike in all its panels.
    looks = styles(dict.fromkeys(name for group in groups.values() for name in group))
    for axes, (heading, group) in zip(grid, groups.items(), strict=True):
        axes.set(title=heading, xlabel=wrapped(xlabel, width), xscale=xscale, yscale=yscale)
        _draw_reference(axes, beside.get(heading, {}))
        draw_curves(axes, group, looks)
        if ylim is not None:
            axes.set_ylim(*ylim)
    for axes in grid[:: columns if sharey else 1]:
        axes.set_ylabel(wrapped(ylabel, height))
    _name_all(grid, groups, beside, looks)
    return figure


@styled
def draw_curves(axes: Axes, curves: Curves, looks: Mapping[str, Style] | None = None) -> None:
    """Put lines and bands on a panel, without names."""
    looks = looks or styles(curves)
    for name, values in curves.items():
        line = _clean(Curve(*values), axes)
        if line.low is not None:
            axes.fill_between(line.x, line.low, line.high, color=looks[name].color, alpha=0.18, linewidth=0)
        axes.plot(
            line.x, line.y, marker=looks[name].marker, markevery=max(1, len(line.x) // MARKS), label=name,
            **looks[name].line,
        )  # fmt: skip
    axes.margins(x=0.02)


def name_curves(axes: Axes, curves: Curves, colors: Mapping[str, str]) -> None:
    """Name each line where it ends, or where it leaves the picture."""
    low, high = sorted(axes.get_ylim())
    ends = {}
    for name, values in curves.items():
        line = _clean(Curve(*values), axes)
        inside = np.flatnonzero((line.y >= low) & (line.y <= high))
        if len(line.x):
            last = inside[-1] if inside.size else -1
            ends[name] = (float(line.x[last]), float(line.y[last]))
    label_ends(axes, ends, colors)


def _by_panel(curves: Curves, title: str) -> Mapping[str, Curves]:
    nested = any(isinstance(value, Mapping) for value in curves.values())
    return curves if nested else {title: curves}


def _draw_reference(axes: Axes, curves: Curves) -> None:
    for values in curves.values():
        line = _clean(Curve(*values), axes)
        axes.plot(line.x, line.y, color=OKABE_ITO["grey"], linestyle=(0, (4, 2)), linewidth=1.4)


def _name_all(
    grid: list[Axes], groups: Mapping[str, Curves], beside: Mapping[str, Curves], looks: Mapping[str, Style]
) -> None:
    for axes, (heading, group) in zip(grid, groups.items(), strict=True):
        expected = beside.get(heading, {})
        colors = {name: looks[name].color for name in group} | dict.fromkeys(expected, OKABE_ITO["grey"])
        name_curves(axes, {**group, **expected}, colors)


def _clean(line: Curve, axes: Axes) -> Curve:
    """The finite points, above 0 on a logarithmic axis; the band likewise, held just above 0 there."""
    x, y = np.broadcast_arrays(np.asarray(line.x, float), np.asarray(line.y, float))
    log_x, log_y = (axis.get_scale() == "log" for axis in (axes.xaxis, axes.yaxis))
    keep = np.isfinite(x) & np.isfinite(y) & ~(log_x & (x <= 0)) & ~(log_y & (y <= 0))
    low, high = (None if end is None else np.asarray(end, float)[keep] for end in (line.low, line.high))
    if log_y and low is not None and high is not None and keep.any():
        low, high = (np.maximum(end, y[keep].min() / 10) for end in (low, high))
    return Curve(x[keep], y[keep], low, high)
