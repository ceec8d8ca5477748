"""Shapes of losses: value, slope and curvature, one above the other, of several losses at once."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float
from matplotlib.figure import Figure

from ._lines import Curve, draw_curves, name_curves
from ._panels import panels, styled, titled, wrapped
from ._style import styles


WIDTH = 6.4  # inches
LEVEL = 1e-5  # of the height of a line: less than a picture shows, and more than rounding makes of it in float32
ROWS = ("value", "slope", "curvature")


@styled
def loss_shapes(
    functions: Mapping[str, Callable],
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
        functions: name -> function of a residual, or of a margin; `lambda r: huber(r, 0.0)` makes one of a loss.
        grid: where to draw them, increasing.
        groups: title -> the names drawn in one column; all in one column if None.
        xlabel: what the grid is.
        title: of the one column.

    Raises:
        ValueError: no losses, a name that is none of theirs, a grid of fewer than two points, or a loss that is finite
            at none of them.
    """
    columns = groups or {title: tuple(functions)}
    _check(functions, grid, columns)
    figure, grid_of_axes = panels(3 * len(columns), columns=len(columns), size=(WIDTH, 2.9), sharex=True)
    shapes = {name: shape(loss, grid) for name, loss in functions.items()}
    for name, (value, *_) in shapes.items():
        if not np.isfinite(value).any():
            raise ValueError(f"{name!r} is finite nowhere on the grid: draw it where it is defined, or leave it out.")
    limits = [limits_of([rows[row] for rows in shapes.values()]) for row in range(3)]
    looks = {name: look._replace(marker="") for name, look in styles(*columns.values()).items()}
    drawn = {}
    for place, axes in enumerate(grid_of_axes):
        row, (heading, names) = place // len(columns), list(columns.items())[place % len(columns)]
        drawn[axes] = {name: Curve(np.asarray(grid), shapes[name][row]) for name in names}
        draw_curves(axes, drawn[axes], looks)
        axes.axhline(0.0, color="#888888", linewidth=0.8, zorder=0)
        titled(axes, "" if row else heading, WIDTH)
        axes.set(ylabel=ROWS[row], ylim=limits[row])
        axes.set_xlabel(wrapped(xlabel, WIDTH) if row == 2 else "")
    name_curves(drawn, {name: look.color for name, look in looks.items()})
    return figure


def _check(functions: Mapping[str, Callable], grid: ArrayLike, groups: Mapping[str, Sequence[str]]) -> None:
    if not functions:
        raise ValueError("There are no losses to draw: give name -> function of a residual.")
    if np.ndim(grid) != 1 or np.size(grid) < 2:
        raise ValueError(
            f"The grid has shape {np.shape(grid)}: give at least two points, as numpy.linspace(-4, 4, 401)."
        )
    if not np.all(np.diff(np.asarray(grid, float)) > 0):
        raise ValueError("The grid does not increase throughout: sort it, and leave out what occurs twice or is NaN.")
    unknown = [name for names in groups.values() for name in names if name not in functions]
    if unknown:
        raise ValueError(f"{unknown[0]!r} in groups is none of the functions, which are {', '.join(functions)}.")


def shape(loss: Callable, grid: ArrayLike) -> tuple[np.ndarray, ...]:
    """Value, slope and curvature on a grid."""
    slope = jax.grad(loss)
    rows = jax.jit(jax.vmap(lambda r: (loss(r), slope(r), jax.grad(slope)(r))))
    return tuple(np.asarray(row) for row in rows(jnp.asarray(grid, jnp.result_type(float))))


def limits_of(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends that show whole all lines but those three times as high as is typical, and of these the beginning."""
    finite = [line[np.isfinite(line)] for line in lines if np.isfinite(line).any()] or [np.zeros(1)]
    tops, bottoms = ([end(line) for line in finite] for end in (np.max, np.min))
    reach = 3 * np.median(np.maximum(np.abs(tops), np.abs(bottoms)))
    high = max(*bottoms, *(top for top in tops if top <= reach))
    low = min(*tops, *(bottom for bottom in bottoms if bottom >= -reach))
    size = max(abs(low), abs(high))
    # A line that is level but for rounding is shown level.
    room = 0.1 * (high - low) if high - low > LEVEL * size else size or 1.0
    return low - room, high + room
