"""Data as points and fits as lines through them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._lines import Curve, draw_curves, name_curves
from ._panels import panels, styled, titled, wrapped
from ._style import styles


class Scatter(NamedTuple):
    """One panel of `fits`: points, lines as name -> (slope, intercept), and the rows to draw hollow, or a mask of them.

    Points that are not finite are left out.
    """

    x: Any
    y: Any
    lines: Mapping[str, tuple[Any, Any]]
    outliers: Any = ()
    xlabel: str = "feature (in its unit)"
    ylabel: str = "target (in its unit)"


@styled
def fits(scatters: Mapping[str, Scatter], *, columns: int = 2, size: tuple[float, float] | None = None) -> Figure:
    """Panels of points with fitted lines, each line named at its right end; `scatters` is title -> `Scatter`.

    The vertical axis is that of the points: a line that leaves it is named where it leaves.

    Raises:
        ValueError: no panels; or one whose x and y are not of one length, or have no row that is finite.
    """
    for title, scatter in scatters.items():
        _check(title, scatter)
    alone = len(scatters) == 1
    width, height = size or ((8.0, 5.0) if alone else (6.2, 4.4))
    figure, grid = panels(len(scatters), columns=columns, size=(width, height))
    looks = styles(*(scatter.lines for scatter in scatters.values()))
    for axes, (title, scatter) in zip(grid, scatters.items(), strict=True):
        titled(axes, title, width)
        axes.set(xlabel=wrapped(scatter.xlabel, width), ylabel=wrapped(scatter.ylabel, height))
        _draw_points(axes, scatter)
        draw_curves(axes, _lines(scatter), {name: look._replace(marker="") for name, look in looks.items()})
    named = {axes: _lines(scatter) for axes, scatter in zip(grid, scatters.values(), strict=True)}
    name_curves(named, {name: look.color for name, look in looks.items()})
    return figure


def _check(title: str, scatter: Scatter) -> None:
    x, y = np.shape(scatter.x), np.shape(scatter.y)
    if x != y or len(x) != 1:
        raise ValueError(f"{title!r} has x of shape {x} and y of shape {y}: give two vectors of one length.")
    if not _finite(scatter).any():
        raise ValueError(f"{title!r} has no row of finite x and y to draw.")


def _finite(scatter: Scatter) -> np.ndarray:
    return np.isfinite(np.asarray(scatter.x, float)) & np.isfinite(np.asarray(scatter.y, float))


def _draw_points(axes: Axes, scatter: Scatter) -> None:
    kept, rows = _finite(scatter), np.asarray(scatter.outliers)
    hollow = np.isin(np.arange(kept.size), np.flatnonzero(rows) if rows.dtype == bool else rows)[kept]
    x, y = np.asarray(scatter.x, float)[kept], np.asarray(scatter.y, float)[kept]
    axes.scatter(x[~hollow], y[~hollow], s=26, color="#555555", linewidth=0, zorder=2.5)
    axes.scatter(x[hollow], y[hollow], s=40, facecolor="none", edgecolor="#555555", linewidth=1.4, zorder=2.5)
    room = 0.08 * (np.ptp(y) or 1.0)
    axes.set_ylim(y.min() - room, y.max() + room)


def _lines(scatter: Scatter) -> dict[str, Curve]:
    x = np.asarray(scatter.x, float)[_finite(scatter)]
    # Many points, so that the one at which a steep line leaves the panel is found.
    ends = np.linspace(x.min(), x.max(), 201)
    return {name: Curve(ends, slope * ends + intercept) for name, (slope, intercept) in scatter.lines.items()}
