"""The valley: a cost over two parameters, and the paths that optimisers take down it."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ._panels import panels, readable, styled, titled, wrapped
from ._style import Style, styles


LEVELS = 16
SAMPLE, ROW = 0.8, 0.27  # inches: what a sample of a line takes beside its name in the legend, and the height of a row
SLOPES = LinearSegmentedColormap.from_list("valley", ["#FFFFFF", "#C9D6E2", "#8FA3B8"])
CASING = [patheffects.withStroke(linewidth=4.2, foreground="white")]


class Valley(NamedTuple):
    """One panel of `valley`.

    Attributes:
        x, y: (columns,) and (rows,): the values of the two parameters.
        surface: (rows, columns): the cost there.
        paths: name -> (steps, 2): the parameters after each step.
        minima: (k, 2): the lowest points, local ones included.
    """

    x: Any
    y: Any
    surface: Any
    paths: Mapping[str, Any] = {}
    minima: Any = ()


@styled
def valley(
    valleys: Mapping[str, Valley],
    *,
    xlabel: str,
    ylabel: str,
    columns: int = 3,
    size: tuple[float, float] = (4.6, 4.2),
) -> Figure:
    """Contours of a cost with optimisers' paths, one panel for each title.

    Between two neighbouring contours lies a sixteenth of the panel's area, whatever the cost's scale, so a flat
    plateau and a steep bowl can be compared. White is low. A panel without
    contours says how high it is.

    Args:
        valleys: title -> `Valley`.
        xlabel, ylabel: what the two parameters are, with the unit.
        columns, size: of the grid of panels; size in inches.

    Raises:
        ValueError: no panels; a surface of another shape than its axes, or finite nowhere; a path without steps.
    """
    for title, each in valleys.items():
        _check(title, each)
    figure, grid = panels(len(valleys), columns=columns, size=size)
    looks = styles(*(each.paths for each in valleys.values()))
    for i, (axes, (title, each)) in enumerate(zip(grid, valleys.items(), strict=True)):
        titled(axes, title, size[0])
        axes.set(xlabel=wrapped(xlabel, size[0]), ylabel="" if i % columns else wrapped(ylabel, size[1]))
        axes.grid(visible=False)
        _draw_surface(axes, each)
        _draw_paths(axes, each, looks)
        axes.set(xlim=(np.min(each.x), np.max(each.x)), ylim=(np.min(each.y), np.max(each.y)))
    _add_legend(figure, _handles(valleys, looks, figure.get_figwidth()))
    return figure


def _check(title: str, each: Valley) -> None:
    surface, axes = np.asarray(each.surface, float), (np.size(each.y), np.size(each.x))
    if surface.shape != axes:
        raise ValueError(f"{title!r} has a surface of shape {surface.shape}, and its y and x need {axes}.")
    if not np.isfinite(surface).any():
        raise ValueError(f"{title!r} has a surface that is finite nowhere: there are no contours to draw.")
    for name, path in each.paths.items():
        if np.ndim(path) != 2 or np.shape(path)[1] != 2 or not len(path):
            raise ValueError(
                f"{name!r} in {title!r} has shape {np.shape(path)}: a path is (steps, 2), of a step at least."
            )


def _add_legend(figure: Figure, handles: list[Line2D]) -> None:
    """In as many columns as the figure is wide enough for; each row but the first makes the figure higher."""
    if not handles:
        return
    longest = max(len(line) for handle in handles for line in str(handle.get_label()).split("\n"))
    columns = min(len(handles), max(1, int(figure.get_figwidth() / (SAMPLE + longest / 8.5))))
    rows = math.ceil(len(handles) / columns)
    figure.set_figheight(figure.get_figheight() + ROW * (rows - 1))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _draw_surface(axes: Axes, each: Valley) -> None:
    surface = np.asarray(each.surface, float)
    levels = np.unique(np.quantile(surface[np.isfinite(surface)], np.linspace(0, 1, LEVELS + 1)))
    if levels.size < 2:  # a constant surface has no contours
        axes.set_facecolor(SLOPES(0.5))
        axes.text(0.5, 0.03, f"{levels[0]:.3g} everywhere", ha="center", transform=axes.transAxes, zorder=6)
        return
    if levels.size == 2:  # of two values, each has its shade
        levels = np.insert(levels, 1, levels.mean())
    shades = SLOPES(np.linspace(0, 1, levels.size - 1))
    axes.contourf(each.x, each.y, surface, levels=levels, colors=shades)
    axes.contour(each.x, each.y, surface, levels=levels[1:-1], colors="#6E8196", linewidths=0.6)


def _draw_paths(axes: Axes, each: Valley, looks: Mapping[str, Style]) -> None:
    for name, path in each.paths.items():
        points = np.asarray(path, float)
        axes.plot(points[:, 0], points[:, 1], path_effects=CASING, **looks[name].line)
        axes.plot(*points[0], marker="o", color="black", markerfacecolor="white", zorder=4)
    for point in np.asarray(each.minima, float).reshape(-1, 2):
        axes.plot(*point, marker="*", markersize=15, color="black", markeredgecolor="white", zorder=5)


def _handles(valleys: Mapping[str, Valley], looks: Mapping[str, Style], width: float) -> list[Line2D]:
    handles = [Line2D([], [], label=readable(name, width - SAMPLE), **look.line) for name, look in looks.items()]
    if looks:
        handles.append(
            Line2D([], [], linestyle="none", marker="o", color="black", markerfacecolor="white", label="start")
        )
    if any(len(each.minima) for each in valleys.values()):
        handles.append(Line2D([], [], linestyle="none", marker="*", markersize=15, color="black", label="minimum"))
    return handles
