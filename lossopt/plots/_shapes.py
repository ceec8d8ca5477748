"""The portrait of a loss: its value, its slope and its curvature, one above the other."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float
from matplotlib.figure import Figure

from .. import losses
from ._lines import Curve, draw_curves, name_curves
from ._panels import panels, styled, wrapped
from ._style import styles


WIDTH = 6.4  # inches
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
    """
    columns = groups or {title: tuple(functions)}
    figure, grid_of_axes = panels(3 * len(columns), columns=len(columns), size=(WIDTH, 2.9), sharex=True)
    shapes = {name: _shape(loss, grid) for name, loss in functions.items()}
    limits = [_limits([shape[row] for shape in shapes.values()]) for row in range(3)]
    looks = {name: look._replace(marker="") for name, look in styles(functions).items()}
    drawn = {}
    for place, axes in enumerate(grid_of_axes):
        row, (heading, names) = place // len(columns), list(columns.items())[place % len(columns)]
        drawn[axes] = {name: Curve(np.asarray(grid), shapes[name][row]) for name in names}
        draw_curves(axes, drawn[axes], looks)
        axes.axhline(0.0, color="#888888", linewidth=0.8, zorder=0)
        axes.set(ylabel=ROWS[row], ylim=limits[row], title="" if row else heading)
        axes.set_xlabel(wrapped(xlabel, WIDTH) if row == 2 else "")
    name_curves(drawn, {name: look.color for name, look in looks.items()})
    return figure


def portrait(loss: losses.Loss) -> Figure:
    """The shape of one registered loss, bound or not, along the one number that matters most.

    That is the residual; the margin; the probability of the true class; or the lead of the true logit over two others
    that are equal.
    """
    card = losses.card(loss)
    along, grid, xlabel = _AXES[card.prediction]
    target = jnp.asarray(_ONE_HOT[: 2 if card.prediction == "probabilities" else 3]) if card.target_ndim else None
    true = {"real": 0.0, "label": 0}.get(card.target, 1.0) if target is None else target
    return loss_shapes(
        {card.name: lambda x: loss(along(x), true)}, grid, xlabel=xlabel, title=card.name.replace("_", " ")
    )


_ONE_HOT = (1.0, 0.0, 0.0)
_WIDE, _INSIDE = np.linspace(-6.0, 6.0, 601), np.linspace(0.02, 0.98, 481)
_AXES: Mapping[str, tuple[Callable, np.ndarray, str]] = {
    "real": (lambda r: r, _WIDE, "residual: prediction − target (in the target's unit)"),
    "logit": (lambda m: m, _WIDE, "margin: the logit, positive on the right side (logits)"),
    "probability": (lambda p: p, _INSIDE, "probability of the true class (share)"),
    "logits": (lambda m: jnp.stack([m, 0.0 * m, 0.0 * m]), _WIDE, "lead of the true logit over two others (logits)"),
    "probabilities": (lambda p: jnp.stack([p, 1.0 - p]), _INSIDE, "probability of the true class (share)"),
}


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
