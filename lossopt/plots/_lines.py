"""Lines with bands: convergence against steps, error against contamination, and whatever else is a curve."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from ._labels import label_ends
from ._panels import panels, styled, titled, wrapped
from ._style import Style, styles


Scale = Literal["linear", "log", "symlog"]
EXPECTED = "#555555"  # the colour of what theory expects
MOST_DECADES = 308  # the largest float
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
    """Suboptimality on a logarithmic axis, below which an arrow takes a line that ends at 0. Otherwise as `curve`."""
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
    columns: int | None = None,
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
        columns, size, sharey: of the grid of panels; size in inches. None: two columns, or three.

    Raises:
        ValueError: no curves, one whose x and y do not go together, a band with one end, a panel without a number (or
            where its axis is logarithmic, and `ylim` not given, a number above 0), or ends that make no axis.
    """
    _check_ends(ylim, yscale)
    groups = {heading: _checked(group) for heading, group in _by_panel(curves, title).items()}
    if not any(groups.values()):
        raise ValueError("There are no curves to draw: give name -> (x, y).")
    beside = {heading: _checked(group) for heading, group in _by_panel(reference or {}, title).items()}
    alone = len(groups) == 1
    columns = columns or (3 if len(groups) == 3 or len(groups) > 4 else 2)
    # The wider a figure is, the smaller is its text on a page.
    width, height = size or ((8.0, 4.8) if alone else (5.2, 3.8) if columns < 3 else (4.7, 3.6))
    figure, grid = panels(len(groups), columns=columns, size=(width, height), sharey=sharey and not alone)
    # One table of styles for the figure, so that a name is drawn alike in all its panels.
    looks = styles(*groups.values())
    for axes, (heading, group) in zip(grid, groups.items(), strict=True):
        titled(axes, heading, width)
        # To set a linear scale would replace the ticks of `panels` by matplotlib's.
        scales = {"xscale": xscale, "yscale": yscale}
        axes.set(xlabel=wrapped(xlabel, width), **{axis: scale for axis, scale in scales.items() if scale != "linear"})
        _draw_reference(axes, beside.get(heading, {}))
        if ylim is not None:
            axes.set_ylim(*ylim)
        draw_curves(axes, group, looks)
    for axes in grid[:: columns if sharey else 1]:
        axes.set_ylabel(wrapped(ylabel, height))
    named = {
        axes: {**group, **beside.get(heading, {})} for axes, (heading, group) in zip(grid, groups.items(), strict=True)
    }
    expected = dict.fromkeys((name for group in beside.values() for name in group), EXPECTED)
    name_curves(named, expected | {name: look.color for name, look in looks.items()})
    return figure


@styled
def draw_curves(axes: Axes, curves: Curves, looks: Mapping[str, Style] | None = None) -> None:
    """Put lines and bands on a panel, without names.

    Raises:
        ValueError: as `curve`; or points too far apart for a logarithmic axis.
    """
    curves = _checked(curves)
    if curves and not any(np.isfinite(np.asarray(line.y, float)).any() for line in curves.values()):
        raise ValueError(f"None of {', '.join(map(repr, curves))} has a finite number to draw: leave them out.")
    looks = looks or styles(curves)
    for name, values in curves.items():
        line = _clean(Curve(*values), axes)
        if line.low is not None:
            axes.fill_between(line.x, line.low, line.high, color=looks[name].color, alpha=0.18, linewidth=0)
        look = looks[name]
        axes.plot(line.x, line.y, marker=look.marker, markevery=_marks(line.x, axes), label=name, **look.line)
        _draw_fall(axes, line, _fall(Curve(*values), axes), look)
    axes.margins(x=0.02)
    if curves and axes.get_yscale() == "log" and axes.get_autoscaley_on() and math.isinf(axes.dataLim.minposy):
        raise ValueError(
            f"None of {', '.join(map(repr, curves))} has a number above 0 to draw on a logarithmic axis: "
            "leave them out, give ylim, or draw them on a linear one."
        )
    _check_reach("x", axes.get_xscale(), axes.get_autoscalex_on(), axes.dataLim.intervalx)
    _check_reach("y", axes.get_yscale(), axes.get_autoscaley_on(), axes.dataLim.intervaly)


def _fall(line: Curve, axes: Axes) -> float | None:
    """The x from which on a line is at 0 or below; None where its axis has these, or it does not end there."""
    x, y, seen = _points(line, axes)
    x, y = x[seen], y[seen]
    first = np.max(np.flatnonzero(y > 0), initial=-1) + 1
    return float(x[first]) if axes.get_yscale() == "log" and first < len(x) else None


def _draw_fall(axes: Axes, line: Curve, fall: float | None, look: Style) -> None:
    """An arrow from the last point of a line, if it has one, to the lower edge, where it falls to 0."""
    if fall is None:
        return
    edge = axes.get_xaxis_transform()
    start, of = ((line.x[-1], line.y[-1]), axes.transData) if len(line.x) else ((fall, 0.1), edge)
    arrow = ConnectionPatch(
        start, (fall, 0), of, edge, arrowstyle="-|>", mutation_scale=16, linewidth=1.4, clip_on=True, **look.line
    )
    arrow.set_in_layout(False)
    axes.add_artist(arrow)
    axes.update_datalim([(fall, 1)], updatey=False)


def _check_ends(ylim: tuple[float, float] | None, scale: Scale) -> None:
    if ylim is None:
        return
    low, high = np.sort(np.asarray(ylim, float))
    if not (-math.inf < low < high < math.inf) or (scale == "log" and low <= 0):
        above = ", above 0 on a logarithmic axis" if scale == "log" else ""
        raise ValueError(f"ylim={tuple(ylim)}: give two different finite numbers{above}.")


def _check_reach(name: str, scale: str, free: bool, ends: np.ndarray) -> None:
    low, high = ends
    # The axis and its ticks go further than the points, by a part of what these span.
    if free and scale == "log" and 0 < low < high and 1.25 * math.log10(high) - 0.25 * math.log10(low) > MOST_DECADES:
        raise ValueError(
            f"{name} runs from {low:.3g} to {high:.3g}, too far for a logarithmic axis: leave the largest points out"
            f"{', or give ylim' if name == 'y' else ''}."
        )


def name_curves(panels: Mapping[Axes, Curves], colors: Mapping[str, str]) -> None:
    """Name each line of each panel where it ends, or where it leaves the picture."""
    ends = {
        axes: {name: _end(axes, Curve(*values)) for name, values in curves.items()} for axes, curves in panels.items()
    }
    # A line without a name, as that of a theory told in the caption, gets none.
    kept = {axes: {name: end for name, end in named.items() if end and name} for axes, named in ends.items()}
    label_ends(kept, colors)


def _end(axes: Axes, curve: Curve) -> tuple[float, float] | None:
    line = _clean(curve, axes)
    low, high = sorted(axes.get_ylim())
    inside = np.flatnonzero((line.y >= low) & (line.y <= high))
    if len(line.x):
        last = inside[-1] if inside.size else -1
        return float(line.x[last]), float(line.y[last])
    fall = _fall(curve, axes)
    return None if fall is None else (fall, low)


def _marks(x: np.ndarray, axes: Axes) -> list[int]:
    """Where a line has its markers: evenly spread over the panel, whatever the scale of its axis."""
    place = np.log(x) if axes.get_xscale() == "log" else x
    if len(x) <= 2 * MARKS:
        return list(range(len(x)))
    if not np.all(np.diff(place) > 0):  # a line that runs back and forth
        return list(range(0, len(x), max(1, len(x) // MARKS)))
    wanted = np.linspace(place[0], place[-1], MARKS + 1)
    return np.unique(np.minimum(np.searchsorted(place, wanted), len(x) - 1)).tolist()


def _checked(curves: Curves) -> dict[str, Curve]:
    """Each as a `Curve` whose parts have one shape."""
    lines = {name: Curve(*values) for name, values in curves.items()}
    for name, line in lines.items():
        given = {part: np.asarray(value, float) for part, value in line._asdict().items() if value is not None}
        if ("low" in given) != ("high" in given):
            raise ValueError(f"{name!r} has one end of a band: give both low and high, or neither.")
        try:
            lines[name] = Curve(**dict(zip(given, np.broadcast_arrays(*given.values()), strict=True)))
        except ValueError:
            shapes = ", ".join(f"{part} of shape {value.shape}" for part, value in given.items())
            raise ValueError(f"{name!r} has {shapes}: give vectors of one length.") from None
    return lines


def _by_panel(curves: Curves, title: str) -> Mapping[str, Curves]:
    nested = any(isinstance(value, Mapping) for value in curves.values())
    return curves if nested else {title: curves}


def _draw_reference(axes: Axes, curves: Curves) -> None:
    for values in curves.values():
        line = _clean(Curve(*values), axes)
        # Above the others, or it would be lost where it agrees with them.
        axes.plot(line.x, line.y, color=EXPECTED, linestyle=(0, (4, 2)), linewidth=1.4, zorder=3)


def _points(line: Curve, axes: Axes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y, and which of them are finite and have a place along the axis of x."""
    x, y = np.broadcast_arrays(np.asarray(line.x, float), np.asarray(line.y, float))
    return x, y, np.isfinite(x) & np.isfinite(y) & ((x > 0) | (axes.get_xscale() != "log"))


def _clean(line: Curve, axes: Axes) -> Curve:
    """The finite points, above 0 on a logarithmic axis; the band likewise, held just above 0 there."""
    (x, y, keep), log_y = _points(line, axes), axes.get_yscale() == "log"
    keep &= ~(log_y & (y <= 0))
    low, high = (None if end is None else np.asarray(end, float)[keep] for end in (line.low, line.high))
    if log_y and low is not None and high is not None and keep.any():
        low, high = (np.maximum(end, y[keep].min() / 10) for end in (low, high))
    return Curve(x[keep], y[keep], low, high)
