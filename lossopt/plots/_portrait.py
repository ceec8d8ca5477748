"""The portrait of one loss: value, slope, weight and curvature, side by side, along the number that matters most."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from .. import losses
from ._panels import panels, styled, wrapped
from ._shapes import limits_of, shape
from ._style import styles


SIZE = (3.0, 2.7)  # inches, of one panel


class Path(NamedTuple):
    """A line through predictions: x -> the prediction, the target along it, where x runs, and what x is."""

    along: Callable[[jax.Array], jax.Array]
    target: Any
    grid: np.ndarray
    label: str


# Two are so near to 0 that the weight there shows whether it has a bound.
_WIDE = np.union1d(np.linspace(-6.0, 6.0, 601), [-1e-6, 1e-6])
_INSIDE = np.linspace(0.02, 0.98, 481)
_PATHS: Mapping[str, Path] = {
    "real": Path(lambda r: r, 0.0, _WIDE, "residual: prediction − target (target's unit)"),
    "above -1": Path(lambda p: p, 1.0, np.linspace(-0.9, 6.0, 691), "prediction, where the target is 1"),
    "log mean": Path(lambda m: m, 1.0, np.linspace(-3.0, 3.0, 601), "log of the predicted mean, where the target is 1"),
    "logit": Path(lambda m: m, 1.0, _WIDE, "margin: the logit, positive on the right side"),
    "probability": Path(lambda p: p, 1.0, _INSIDE, "probability of the true class (share)"),
    "logits": Path(
        lambda m: jnp.stack([m, 0.0 * m, 0.0 * m]), (1.0, 0.0, 0.0), _WIDE, "lead of the true logit over two others"
    ),
    "probabilities": Path(
        lambda p: jnp.stack([p, 1.0 - p]), (1.0, 0.0), _INSIDE, "probability of the true class (share)"
    ),
    "vector": Path(
        lambda a: jnp.stack([jnp.cos(a), jnp.sin(a)]), (1.0, 0.0), np.linspace(-3.1, 3.1, 621),
        "angle between prediction and target (radians)",
    ),
    "quantiles": Path(lambda r: r, 0.0, _WIDE, "residual of all quantiles alike (target's unit)"),
    "location and log scale": Path(
        lambda r: jnp.stack([r, 0.0 * r]), 0.0, _WIDE, "residual of the location, at scale 1 (target's unit)"
    ),
    "interval": Path(
        lambda r: jnp.stack([r - 1, r + 1]), 0.0, _WIDE, "residual of the middle of an interval of width 2"
    ),
}  # fmt: skip


@styled
def portrait(loss: losses.Loss) -> Figure:
    """The shape of one registered loss, bound or not: value, slope and curvature by automatic differentiation.

    They run along the residual; the margin; the probability of the true class; the lead of the true logit over two
    others that are equal; or what else the prediction is. A loss of a residual also has its weight, slope over
    residual: how much an example counts where least squares count each by 1.

    Raises:
        TypeError: a name for a loss.
        ValueError: a loss without a card, or with several values of a hyperparameter.
    """
    losses.check_callable(loss)
    losses.check_single(loss, "a portrait is of one: bind a number")
    card = losses.card(loss)
    path = path_of(loss)
    value, slope, curvature = shape(lambda x: loss(path.along(x), path.target), path.grid)
    rows = {"value": value, "slope": slope, "curvature": curvature}
    if card.of_residual:
        rows = {"value": value, "slope": slope, "weight: slope / residual": _weight(path.grid, slope, curvature)}
        rows["curvature"] = curvature
    figure, grid_of_axes = panels(len(rows), columns=len(rows), size=SIZE)
    look = styles([card.name])[card.name]
    for axes, (name, row) in zip(grid_of_axes, rows.items(), strict=True):
        axes.plot(path.grid, row, color=look.color, label=card.name)
        axes.axhline(0.0, color="#888888", linewidth=0.8, zorder=0)
        # Beside a kink at a perfect fit a weight has no bound: the picture has.
        shown = row if np.isfinite(row).all() else row[np.abs(path.grid) > 0.2]
        axes.set(title=name, ylim=limits_of([shown]))
    grid_of_axes[0].set_ylabel(wrapped(_heading(loss), SIZE[1]))
    figure.supxlabel(wrapped(path.label, SIZE[0] * len(rows)), fontsize="medium")
    return figure


def path_of(loss: losses.Loss) -> Path:
    """The line along which a loss is drawn, with the target in the loss's own terms."""
    card = losses.card(loss)
    path = _PATHS[card.prediction]
    if card.target == "label":
        return path._replace(target=0)
    if card.prediction == "quantiles":
        return path._replace(along=lambda r: jnp.full(losses.length(loss), r))
    if card.target == "successes":
        trials = losses.hyperparameters(loss)["trials"]
        return path._replace(label=f"log-odds, where 1 of {float(trials):g} succeeded")
    if card.target == "non-zero":
        return path._replace(along=lambda r: r + 1, target=1.0, label="residual, where the target is 1")
    return path._replace(target=jnp.asarray(path.target)) if isinstance(path.target, tuple) else path


def _heading(loss: losses.Loss) -> str:
    """The name as words, and the numbers that are bound."""
    bound = getattr(loss, "keywords", {}).items()
    numbers = {name: value for name, value in bound if np.issubdtype(np.asarray(value).dtype, np.number)}
    settings = [f"{name}={float(value):.6g}" for name, value in numbers.items() if np.ndim(value) == 0]
    return ", ".join([losses.card(loss).name.replace("_", " "), *settings])


def _weight(residual: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    # At 0 its limit, where it has one: a kink there makes it infinite.
    at_zero = residual == 0
    weight = np.where(at_zero, np.nan, slope / np.where(at_zero, 1.0, residual))
    beside = np.nanmax(np.abs(weight[np.abs(residual) < 1e-3]), initial=0.0)
    return np.where(at_zero & (beside < 2 * np.abs(curvature) + 1e-9), curvature, weight)
