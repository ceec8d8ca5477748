"""A grid of panels that looks the same in every figure."""

import functools
import math
import textwrap
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._style import RC


P = ParamSpec("P")
T = TypeVar("T")


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
    """A figure of `count` panels in rows of at most `columns`, each of `size` inches; unused places stay empty."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    axes = list(grid.flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def wrapped(text: str, inches: float) -> str:
    """An axis label broken into lines that fit a panel of that length, less what its margins take."""
    return textwrap.fill(text, width=max(12, int(8.5 * inches)), break_long_words=False)
