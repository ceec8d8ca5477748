"""A grid of panels that looks the same in every figure."""

import functools
import math
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, ScalarFormatter

from ._style import RC


P = ParamSpec("P")
T = TypeVar("T")

DIGIT = 0.68  # of the font size: the width of a digit or a sign


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorator: run a drawing function in the common style, and leave matplotlib's own settings as they were."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return drawn


@styled
def panels(
    count: int,
    *,
    columns: int = 3,
    size: tuple[float, float] = (4.4, 3.6),
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in rows of at most `columns`, each of `size` inches; unused places stay empty.

    Raises:
        ValueError: no panels, no columns, or a size that is not two numbers above 0.
    """
    if min(count, columns) < 1:
        raise ValueError(f"{count} panels in {columns} columns: there is nothing to draw; give at least one of each.")
    if not all(0 < inches < math.inf for inches in size):
        raise ValueError(f"size={tuple(size)}: give a width and a height above 0, in inches.")
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    axes = list(grid.flat)
    for each in axes:
        each.xaxis.set_major_locator(_Places())
        each.xaxis.set_major_formatter(_Ticks())
        each.yaxis.set_major_formatter(_Ticks())
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


class _Ticks(ScalarFormatter):
    """Numbers with a power of ten each, where matplotlib would write it once, on top of the axis' label: 2e6, 4e6."""

    def get_offset(self) -> str:
        return ""

    def __call__(self, x: float, pos: int | None = None) -> str:
        power = super().get_offset()
        number = super().__call__(x, pos)
        return number if x == 0 and "+" not in power else number + power.removeprefix("1")


class _Places(AutoLocator):
    """Round numbers along a horizontal axis, so few that they are apart when they are written."""

    def __call__(self) -> Any:
        axis: Any = self.axis
        low, high = sorted(axis.get_view_interval())
        points = axis.axes.bbox.width / axis.axes.figure.dpi * 72 / (high - low)
        for bins in ("auto", *range(8, 0, -1)):
            self.set_params(nbins=bins)
            places = super().__call__()
            widest = max(map(len, axis.get_major_formatter().format_ticks(places)), default=0)
            if DIGIT * RC["xtick.labelsize"] * (widest + 1) <= points * np.min(np.diff(places), initial=np.inf):
                break
        return places


def wrapped(text: str, inches: float) -> str:
    """Text as a picture shows it: in lines that fit a panel of that length, less its margins; `$` is a dollar."""
    return textwrap.fill(text, width=max(12, int(8.5 * inches))).replace("$", r"\$")


def readable(name: str, inches: float) -> str:
    """A name as words, in lines that fit that length."""
    return wrapped(name.replace("_", " "), inches)


def titled(axes: Axes, name: str, inches: float) -> None:
    """Write a title above a panel of that width: in bold, and from where its axis is."""
    axes.set_title(readable(name, 0.95 * inches))
