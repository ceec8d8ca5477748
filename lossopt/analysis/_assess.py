"""One loss judged by its fit: errors on rows left out, outliers, coefficients in the data's own units."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .. import border, losses, models
from ..cost import cost
from ..data import Dataset
from ..solve import solve
from ..status import Status
from ..train import fit


# Where no exact method is known. Steps that shrink to nothing end oscillation around a kink.
STEPS = 3000
FALLBACK = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

NORMAL = (
    1.4826022185056018  # 1 / the upper quartile of the standard normal: its median absolute deviation times this is 1
)


class Errors(NamedTuple):
    """How far predictions are from the targets, in the target's unit."""

    mean_absolute: Float[Array, ""]
    root_mean_square: Float[Array, ""]
    median_absolute: Float[Array, ""]


class Mistakes(NamedTuple):
    """How a classifier does: the share of wrong classes, and the mean cross-entropy of its scores read as logits."""

    error_rate: Float[Array, ""]
    log_loss: Float[Array, ""]


class Assessment(NamedTuple):
    """How one loss did.

    Attributes:
        params: of the fit to all rows, in the units of the data.
        status: of the fit to all rows, then of those that leave a fold out.
        exact: whether the minimum comes from `solve`; else from 3000 steps of Adam.
        scores: of each row, by the fit to all rows.
        held_out: of each row, by the fit that left its fold out.
        errors: of `held_out`.
        outliers: rows that lie far from the fit to all rows (regression only).
    """

    params: models.Params
    status: Status
    exact: bool
    scores: Float[Array, " n *k"]
    held_out: Float[Array, " n *k"]
    errors: Errors | Mistakes
    outliers: Bool[Array, " n"] | None


def scores(model: models.Model, params: models.Params, features: Float[Array, "n d"]) -> Float[Array, " n *k"]:
    """The raw score of every row."""
    return model.scores(params, features)


def noise_scale(residuals: Float[Array, " n"]) -> Float[Array, ""]:
    """The standard deviation of Gaussian noise with residuals of this median size; outliers do not move it.

    Formula: `1.4826 median |r|`; where half of the residuals are 0, `1.2533 mean |r|`; where all are, 1.
    """
    sizes = jnp.abs(_floats(residuals))
    middle, average = NORMAL * jnp.median(sizes), math.sqrt(math.pi / 2) * jnp.mean(sizes)
    return jnp.where(middle > 0, middle, jnp.where(average > 0, average, 1.0))


def outliers(residuals: Float[Array, " n"], *, threshold: float = 3.0) -> Bool[Array, " n"]:
    """Rows whose residual is more than `threshold` noise scales: 1 in 370 at the Gaussian, by the default."""
    residuals = _floats(residuals)
    return jnp.abs(residuals) > threshold * noise_scale(residuals)


def errors(residuals: Float[Array, " n"]) -> Errors:
    """The three usual summaries of residuals.

    Raises:
        ValueError: there are none.
    """
    residuals = _floats(residuals)
    sizes, unit = jnp.abs(residuals), _unit(residuals)
    return Errors(jnp.mean(sizes), unit * jnp.sqrt(jnp.mean((residuals / unit) ** 2)), jnp.median(sizes))


def _unit(values: Array) -> Array:
    """For each column a power of two, which costs no digit: in it neither sums nor squares over- or underflow."""
    tiny = jnp.finfo(values.dtype).tiny
    largest = jnp.max(jnp.abs(values), axis=0)
    # XLA may multiply by one over it.
    return jnp.clip(jnp.ldexp(jnp.ones_like(largest), jnp.frexp(largest)[1] - 1), tiny, 1 / (4 * tiny))


def _floats(residuals: Any) -> Array:
    """A vector of floats."""
    # The square of a whole number of few bits is another.
    (found,) = losses.floats(jnp.asarray(residuals))
    if found.ndim != 1 or not found.size:
        raise ValueError(f"The residuals have shape {found.shape}: give a vector of at least one.")
    return found


def mistakes(logits: Float[Array, " n *k"], targets: Int[Array, " n"]) -> Mistakes:
    """The summaries of a classifier's scores, one a row (its sign decides) or one a class (the largest decides)."""
    binary = logits.ndim == 1
    decided = logits > 0 if binary else jnp.argmax(logits, axis=1)
    loss = losses.logistic if binary else losses.softmax_cross_entropy
    wrong = decided.astype(targets.dtype) != targets
    return Mistakes(jnp.mean(wrong.astype(logits.dtype)), cost(loss)(logits, targets))


def folds(key: PRNGKeyArray, rows: int, count: int) -> Int[Array, " n"]:
    """For each row the fold, 0 to count - 1, that it is held out with: random, and as equal in size as can be.

    Raises:
        ValueError: fewer than 2 folds, more folds than rows, or not a whole number.
    """
    rows, count = border.whole("rows", rows), border.whole("count", count)
    if rows == 1:
        raise ValueError("A single row cannot be divided into folds: give at least 2 rows.")
    if not 2 <= count <= rows:
        raise ValueError(f"{count} folds of {rows} rows: use from 2 to {rows}.")
    return jax.random.permutation(key, jnp.arange(rows) % count)


def unit_of(data: Dataset, model: models.Model) -> float:
    """What a threshold of 1 means in the target's unit: the noise scale of the fit by absolute error; 1 for classes."""
    if model.name != "linear":
        return 1.0
    standard, _, _ = _standardised(data)
    params = solve(losses.absolute_error, standard, model=model).params
    return float(noise_scale(_residuals(scores(model, params, standard.features), data.targets)))


def _residuals(predictions: Float[Array, " n"], targets: Float[Array, " n"]) -> Float[Array, " n"]:
    """Predictions less targets; 0 where that is no more than what a fit rounds."""
    found, sizes = predictions - targets, jnp.abs(targets)
    rounding = 8 * jnp.finfo(found.dtype).eps * jnp.maximum(sizes, jnp.median(sizes))
    return jnp.where(jnp.abs(found) <= rounding, 0.0, found)


def assess(
    loss: losses.Loss,
    data: Dataset,
    *,
    model: models.Model = models.linear,
    l2: float = 0.0,
    labels: Int[Array, " n"],
    unit: float = 1.0,
) -> Assessment:
    """Fit a loss to all rows, and to all rows but one fold, for each fold.

    Features are standardised, and a real target is divided by `unit`, before the loss sees them: with the unit from
    `unit_of`, `delta=1.345` is 1.345 standard deviations of the noise, and `l2` has one meaning for all features.

    Args:
        loss, data, model, l2: as for `lossopt.solve`; where that knows no exact method, `lossopt.fit` is used.
        labels: the fold of each row, from `folds`.
        unit: of the target, as the loss is to see it.

    Raises:
        ValueError: data that do not suit the loss or the model.
    """
    data = border.checked(loss, data, model)
    standard, centre, width = _standardised(data)
    if model.name == "linear":
        standard = standard._replace(targets=standard.targets / unit)
    params, status, exact = _fits(loss, standard, model, l2, labels)
    params = _in_units(params, centre, width, unit)
    everywhere = jax.vmap(scores, in_axes=(None, 0, None))(model, params, data.features)
    held_out = everywhere[labels + 1, jnp.arange(labels.size)]
    whole = jax.tree.map(lambda leaf: leaf[0], params)
    if model.name != "linear":
        return Assessment(whole, status, exact, everywhere[0], held_out, mistakes(held_out, data.targets), None)
    far = outliers(_residuals(everywhere[0], data.targets))
    return Assessment(whole, status, exact, everywhere[0], held_out, errors(held_out - data.targets), far)


def _standardised(data: Dataset) -> tuple[Dataset, Array, Array]:
    unit = _unit(data.features)
    scaled = data.features / unit[None]
    centre, width = jnp.mean(scaled, axis=0), jnp.std(scaled, axis=0)
    width = jnp.where(width > 0, width, 1.0)
    return data._replace(features=(scaled - centre[None]) / width[None]), unit * centre, unit * width


def _fits(
    loss: losses.Loss, data: Dataset, model: models.Model, l2: float, labels: Array
) -> tuple[models.Params, Status, bool]:
    """Parameters and status on all rows, then with each fold left out, stacked; and whether they are exact."""
    whole = jnp.ones(data.targets.shape[0], data.features.dtype) if data.weights is None else data.weights
    # Rows left out by weight 0 keep their place, so one compilation serves all folds.
    parts = [
        data._replace(weights=jnp.where(labels == fold, 0.0, whole)) for fold in range(-1, int(np.max(labels)) + 1)
    ]
    try:
        runs: list[Any] = [solve(loss, part, model=model, l2=l2) for part in parts]
        exact = True
    except ValueError:  # the data are legal, so this says that no exact method is known
        options: Any = {"model": model, "l2": l2, "optimizer": FALLBACK, "num_steps": STEPS}
        runs, exact = [fit(loss, part, **options) for part in parts], False
    params, status = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[(run.params, run.status) for run in runs])
    return params, status, exact


def _in_units(params: models.Params, centre: Array, width: Array, unit: float) -> models.Params:
    tall = width.reshape(1, -1, *(1,) * (params.weights.ndim - 2))
    weights = unit * params.weights / tall
    shift = jnp.sum(weights * centre.reshape(tall.shape), axis=1)
    return models.Params(weights, None if params.bias is None else unit * params.bias - shift)
