"""The portrait of a loss: its value, its slope and its curvature, one above the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._lines import Curve, draw_curves, name_curves
from ._panels import panels, styled, wrapped
from ._style import styles


WIDTH = 6.4  # inches
ROWS = ("value", "slope", "curvature")


@styled
def loss_shapes(
    losses: Mapping[str, Callable],
    grid: Float[ArrayLike, " points"],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    xlabel: str = "residual: prediction − target (in the target's unit)",
    title: str = "",
) -> Figure:
    """Value, slope and curvature of losses of one number, the last two by automatic differentiation.

    A line that leaves a panel is named where it leaves: the panels are scaled to show most losses well, not the
    largest one whole.

    Args:
        losses: name -> function of a residual, or of a margin; `lambda r: huber(r, 0.0)` makes one of a loss.
        grid: where to draw them, increasing.
        groups: title -> the names drawn in one column; all in one column if None.
        xlabel: what the grid is.
        title: of the one column.
    """
    columns = groups or {title: tuple(losses)}
    figure, axes = panels(3 * len(columns), columns=len(columns), size=(WIDTH, 2.9), sharex=True)
    shapes = {name: _shape(loss, grid) for name, loss in losses.items()}
    limits = [_limits([shape[row] for shape in shapes.values()]) for row in range(3)]
    looks = {name: look._replace(marker="") for name, look in styles(losses).items()}
    for i, (heading, names) in enumerate(columns.items()):
        for row, quantity in enumerate(ROWS):
            panel = axes[row * len(columns) + i]
            lines = {name: Curve(np.asarray(grid), shapes[name][row]) for name in names}
            draw_curves(panel, lines, looks)
            panel.set(ylabel=quantity, title="" if row else heading, ylim=limits[row])
            panel.axhline(0.0, color="#888888", linewidth=0.8, zorder=0)
        axes[2 * len(columns) + i].set_xlabel(wrapped(xlabel, WIDTH))
    _name_all(axes, columns, shapes, np.asarray(grid), {name: looks[name].color for name in losses})
    return figure


def _name_all(
    axes: Sequence[Axes],
    columns: Mapping[str, Sequence[str]],
    shapes: Mapping[str, tuple[Any, ...]],
    grid: Any,
    colors: Mapping[str, str],
) -> None:
    for i, panel in enumerate(axes):
        names = list(columns.values())[i % len(columns)]
        name_curves(panel, {name: Curve(grid, shapes[name][i // len(columns)]) for name in names}, colors)


def _shape(loss: Callable, grid: ArrayLike) -> tuple[np.ndarray, ...]:
    slope = jax.grad(loss)
    rows = jax.jit(jax.vmap(lambda r: (loss(r), slope(r), jax.grad(slope)(r))))
    return tuple(np.asarray(row) for row in rows(jnp.asarray(grid, jnp.result_type(float))))


def _limits(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends that show whole all lines but those three times as high as is typical, and of these the beginning."""
    tops, bottoms = ([end(line[np.isfinite(line)]) for line in lines] for end in (np.max, np.min))
    reach = 3 * np.median(np.maximum(np.abs(tops), np.abs(bottoms)))
    high = max(*bottoms, *(top for top in tops if top <= reach))
    low = min(*tops, *(bottom for bottom in bottoms if bottom >= -reach))
    room = 0.1 * (high - low) or 1.0
    return low - room, high + room
