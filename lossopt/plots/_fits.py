"""Data as points and fits as lines through them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._labels import readable
from ._lines import Curve, draw_curves, name_curves
from ._panels import panels, styled, wrapped
from ._style import styles


class Scatter(NamedTuple):
    """One panel of `fits`: points, lines as name -> (slope, intercept), and the rows to draw hollow."""

    x: Any
    y: Any
    lines: Mapping[str, tuple[Any, Any]]
    outliers: Sequence[int] = ()
    xlabel: str = "feature (in its unit)"
    ylabel: str = "target (in its unit)"


@styled
def fits(scatters: Mapping[str, Scatter], *, columns: int = 2, size: tuple[float, float] | None = None) -> Figure:
    """Panels of points with fitted lines, each line named at its right end; `scatters` is title -> `Scatter`.

    The vertical axis is that of the points: a line that leaves it is named where it leaves.
    """
    alone = len(scatters) == 1
    width, height = size or ((8.0, 5.0) if alone else (6.2, 4.4))
    figure, grid = panels(len(scatters), columns=columns, size=(width, height))
    looks = styles(dict.fromkeys(name for scatter in scatters.values() for name in scatter.lines))
    for axes, (title, scatter) in zip(grid, scatters.items(), strict=True):
        axes.set(title=readable(title), xlabel=wrapped(scatter.xlabel, width), ylabel=wrapped(scatter.ylabel, height))
        _draw_points(axes, scatter)
        draw_curves(axes, _lines(scatter), {name: look._replace(marker="") for name, look in looks.items()})
    named = {axes: _lines(scatter) for axes, scatter in zip(grid, scatters.values(), strict=True)}
    name_curves(named, {name: look.color for name, look in looks.items()})
    return figure


def _draw_points(axes: Axes, scatter: Scatter) -> None:
    x, y = np.asarray(scatter.x, float), np.asarray(scatter.y, float)
    hollow = np.isin(np.arange(x.size), scatter.outliers)
    axes.scatter(x[~hollow], y[~hollow], s=26, color="#555555", linewidth=0, zorder=2.5)
    axes.scatter(x[hollow], y[hollow], s=40, facecolor="none", edgecolor="#555555", linewidth=1.4, zorder=2.5)
    room = 0.08 * (np.ptp(y) or 1.0)
    axes.set_ylim(y.min() - room, y.max() + room)


def _lines(scatter: Scatter) -> dict[str, Curve]:
    x = np.asarray(scatter.x, float)
    # Many points, so that the one at which a steep line leaves the panel is found.
    ends = np.linspace(x.min(), x.max(), 201)
    return {name: Curve(ends, slope * ends + intercept) for name, (slope, intercept) in scatter.lines.items()}
