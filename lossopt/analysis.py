"""What fits say when they are put side by side: sweeps, bands, held-out errors, outliers, the pull of one more point.

Pure functions of arrays, which return arrays or NamedTuples of them.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

from . import border, losses, models
from .cost import cost
from .data import Dataset
from .solve import solve
from .status import Status
from .train import fit


# Where no exact method is known. Steps that shrink to nothing end oscillation around a kink.
STEPS = 3000
FALLBACK = optax.adam(optax.cosine_decay_schedule(0.1, STEPS))

NORMAL = (
    1.4826022185056018  # 1 / the upper quartile of the standard normal: its median absolute deviation times this is 1
)


class Band(NamedTuple):
    """A value with its uncertainty."""

    centre: Float[Array, "*rest"]
    low: Float[Array, "*rest"]
    high: Float[Array, "*rest"]


class Errors(NamedTuple):
    """How far predictions are from the targets, in the target's unit."""

    mean_absolute: Float[Array, ""]
    root_mean_square: Float[Array, ""]
    median_absolute: Float[Array, ""]


class Mistakes(NamedTuple):
    """How a classifier does: the share of wrong classes, and the mean cross-entropy of its scores read as logits."""

    error_rate: Float[Array, ""]
    log_loss: Float[Array, ""]


class Comparison(NamedTuple):
    """One loss among those compared.

    Attributes:
        params: of the fit to all rows, in the units of the data.
        status: of the fit to all rows, and of those of the folds.
        exact: whether the minimum comes from `solve`; else from 3000 steps of Adam.
        scores: of each row, by the fit to all rows.
        held_out: of each row, by the fit that left its fold out.
        errors: of `held_out`.
        outliers: rows that lie far from the fit to all rows (regression only).
    """

    params: models.Params
    status: Status
    exact: bool
    scores: Float[Array, "n *k"]
    held_out: Float[Array, "n *k"]
    errors: Errors | Mistakes
    outliers: Bool[Array, " n"] | None


def sweep(fn: Callable[..., PyTree], *axes: Shaped[Array, "..."], batch_size: int = 16) -> PyTree:
    """`fn` at every combination of the values on the axes: leaf[i, j, ...] is of `fn(axes[0][i], axes[1][j])`.

    The calls run in batches small enough for the cache, which for iterative fits is faster than one large vmap: a
    batch stops when its own members are done.
    """
    shape = tuple(len(axis) for axis in axes)
    indices = jnp.unravel_index(jnp.arange(math.prod(shape)), shape)
    results = jax.lax.map(
        lambda index: fn(*(axis[i] for axis, i in zip(axes, index, strict=True))), indices, batch_size=batch_size
    )
    return jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[1:]), results)


def spread_band(values: Float[Array, "seeds *rest"], *, level: float = 0.9) -> Band:
    """The median over the first axis, and the quantiles between which a share `level` of the values lies."""
    tail = (1 - level) / 2
    low, centre, high = jnp.quantile(values, jnp.asarray([tail, 0.5, 1 - tail], values.dtype), axis=0)
    return Band(centre, low, high)


def mean_band(values: Float[Array, "seeds *rest"]) -> Band:
    """The mean over the first axis, and its 95 % interval by the normal approximation: from about 30 seeds on."""
    centre = jnp.mean(values, axis=0)
    half = 1.96 * jnp.std(values, axis=0, ddof=1) / math.sqrt(values.shape[0])
    return Band(centre, centre - half, centre + half)


def sensitivity_curve(
    statistic: Callable[[Dataset], PyTree],
    data: Dataset,
    *,
    features: Float[Array, " d"],
    targets: Float[Array, " points"],
) -> PyTree:
    """The effect on a fit of one more row: `(n + 1) (T(data and the row) - T(data))`, for each target in turn.

    Multiplied by n + 1, so that it tends to the influence function as n grows.

    Args:
        statistic: data -> whatever is fitted: coefficients, a prediction.
        data: without weights.
        features: of the row added.
        targets: of the row added, one after the other.

    Source: Tukey (1977), Exploratory Data Analysis; Hampel et al. (1986), Robust Statistics, section 2.1e.
    """
    rows = data.targets.shape[0]
    base = statistic(data)

    def with_row(target: Array) -> PyTree:
        wider = jnp.concatenate([data.features, features[None]])
        after = statistic(Dataset(wider, jnp.concatenate([data.targets, target[None]])))
        return jax.tree.map(lambda new, old: (rows + 1) * (new - old), after, base)

    return sweep(with_row, targets)


def influence(
    loss: losses.Loss,
    data: Dataset,
    params: models.Params,
    *,
    model: models.Model = models.linear,
    features: Float[Array, " d"],
    targets: Float[Array, " points"],
) -> models.Params:
    """The influence function of a fit at rows `(features, target)`: what an infinitesimal weight there does to it.

    Formula: `-H^-1 grad l`, with H the Hessian of the mean loss of the data at `params` and `l` the loss of the row; its
    derivatives are automatic. For a loss of slope psi that is `psi(target - prediction) H^-1 x`. Where H is singular, as
    under absolute error, whose curvature is nowhere but at the kink, it is not finite.

    Source: Hampel (1974), JASA 69; Hampel et al. (1986), equation (6.2.4).
    """
    flat, restore = jax.flatten_util.ravel_pytree(params)

    def mean_cost(vector: Array) -> Array:
        return cost(loss)(scores(model, restore(vector), data.features), data.targets, weights=data.weights)

    def pull(target: Array) -> Array:
        return jax.grad(lambda vector: loss(model.predict(restore(vector), features), target))(flat)

    effects = -jnp.linalg.solve(jax.hessian(mean_cost)(flat), jax.vmap(pull)(targets).T).T
    return jax.vmap(restore)(effects)


def scores(model: models.Model, params: models.Params, features: Float[Array, "n d"]) -> Float[Array, "n *k"]:
    """The raw score of every row."""
    return jax.vmap(model.predict, in_axes=(None, 0))(params, features)


def noise_scale(residuals: Float[Array, " n"]) -> Float[Array, ""]:
    """The standard deviation that Gaussian noise would have, from the median size of the residuals; outliers do not move it.

    Formula: `1.4826 median |r|`; where half of the residuals are 0, `1.2533 mean |r|`; where all are, 1.
    """
    sizes = jnp.abs(residuals)
    middle, average = NORMAL * jnp.median(sizes), math.sqrt(math.pi / 2) * jnp.mean(sizes)
    return jnp.where(middle > 0, middle, jnp.where(average > 0, average, 1.0))


def outliers(residuals: Float[Array, " n"], *, threshold: float = 3.0) -> Bool[Array, " n"]:
    """Rows whose residual is more than `threshold` noise scales: 1 in 370 at the Gaussian, by the default."""
    return jnp.abs(residuals) > threshold * noise_scale(residuals)


def errors(residuals: Float[Array, " n"]) -> Errors:
    """The three usual summaries of residuals."""
    sizes = jnp.abs(residuals)
    return Errors(jnp.mean(sizes), jnp.sqrt(jnp.mean(residuals**2)), jnp.median(sizes))


def mistakes(logits: Float[Array, "n *k"], targets: Int[Array, " n"]) -> Mistakes:
    """The summaries of a classifier's scores, one a row (its sign decides) or one a class (the largest decides)."""
    binary = logits.ndim == 1
    decided = logits > 0 if binary else jnp.argmax(logits, axis=1)
    loss = losses.logistic if binary else losses.softmax_cross_entropy
    wrong = decided.astype(targets.dtype) != targets
    return Mistakes(jnp.mean(wrong.astype(logits.dtype)), cost(loss)(logits, targets))


def folds(key: PRNGKeyArray, rows: int, count: int) -> Int[Array, " n"]:
    """For each row the fold, 0 to count - 1, that it is held out with: random, and as equal in size as can be.

    Raises:
        ValueError: fewer than 2 folds, or more folds than rows.
    """
    if not 2 <= count <= rows:
        raise ValueError(f"{count} folds of {rows} rows: use from 2 to {rows}.")
    return jax.random.permutation(key, jnp.arange(rows) % count)


def compare(
    candidates: Mapping[str, losses.Loss],
    data: Dataset,
    *,
    model: models.Model = models.linear,
    l2: float = 0.0,
    labels: Int[Array, " n"],
    unit: float | None = None,
) -> tuple[dict[str, Comparison], float]:
    """Fit each loss to all rows and to all rows but one fold; return the comparisons, and the unit of thresholds.

    Features are standardised, and a real target is divided by `unit`, before a loss sees them: so `delta=1.345` is
    1.345 standard deviations of the noise, and `l2` has one meaning for all features. What is returned is in the
    units of the data.

    Args:
        candidates: name -> loss.
        data, model, l2: as for `lossopt.solve`.
        labels: from `folds`.
        unit: of the target, for the thresholds; None takes the noise scale of the fit by absolute error.

    Raises:
        ValueError: data that do not suit a loss or the model.
    """
    for loss in candidates.values():
        data = border.checked(loss, data, model)
    centre, width = jnp.mean(data.features, axis=0), jnp.std(data.features, axis=0)
    width = jnp.where(width > 0, width, 1.0)
    standard = data._replace(features=(data.features - centre[None]) / width[None])
    unit = _unit(standard, model) if unit is None else unit
    if model.name == "linear":
        standard = standard._replace(targets=standard.targets / unit)
    found = {}
    for name, loss in candidates.items():
        params, status, exact = _fits(loss, standard, model, l2, labels)
        found[name] = _compared(data, model, _in_units(params, centre, width, unit), status, exact, labels)
    return found, unit


def _unit(data: Dataset, model: models.Model) -> float:
    if model.name != "linear":
        return 1.0
    params = solve(losses.absolute_error, data, model=model).params
    return float(noise_scale(scores(model, params, data.features) - data.targets))


def _fits(
    loss: losses.Loss, data: Dataset, model: models.Model, l2: float, labels: Array
) -> tuple[models.Params, Status, bool]:
    """Parameters and status on all rows, then with each fold left out, stacked; and whether they are exact."""
    weights = jnp.ones(data.targets.shape[0], data.features.dtype) if data.weights is None else data.weights
    kept = jnp.arange(-1, int(np.max(labels)) + 1)[:, None] != labels[None]

    def exactly(share: Array) -> tuple[models.Params, Status]:
        solution = solve(loss, data._replace(weights=share), model=model, l2=l2)
        return solution.params, solution.status

    def by_steps(share: Array) -> tuple[models.Params, Status]:
        run = fit(loss, data._replace(weights=share), model=model, l2=l2, optimizer=FALLBACK, num_steps=STEPS)
        return run.params, run.status

    shares = jnp.where(kept, weights[None], 0.0)
    try:
        return *jax.jit(jax.vmap(exactly))(shares), True
    except ValueError:  # the data are legal, so this says that no exact method is known
        return *jax.jit(jax.vmap(by_steps))(shares), False


def _in_units(params: models.Params, centre: Array, width: Array, unit: float) -> models.Params:
    tall = width.reshape(1, -1, *(1,) * (params.weights.ndim - 2))
    weights = unit * params.weights / tall
    shift = jnp.sum(weights * centre.reshape(tall.shape), axis=1)
    return models.Params(weights, None if params.bias is None else unit * params.bias - shift)


def _compared(
    data: Dataset, model: models.Model, params: models.Params, status: Status, exact: bool, labels: Array
) -> Comparison:
    all_scores = jax.vmap(scores, in_axes=(None, 0, None))(model, params, data.features)
    held_out = all_scores[labels + 1, jnp.arange(labels.size)]
    residuals = all_scores[0] - data.targets if model.name == "linear" else None
    return Comparison(
        params=jax.tree.map(lambda leaf: leaf[0], params),
        status=status,
        exact=exact,
        scores=all_scores[0],
        held_out=held_out,
        errors=mistakes(held_out, data.targets) if residuals is None else errors(held_out - data.targets),
        outliers=None if residuals is None else outliers(residuals),
    )
