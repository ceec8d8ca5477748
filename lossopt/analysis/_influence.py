"""What one more row does to a fit: measured by adding it, and as its derivative."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from .. import losses, models
from ..cost import cost
from ..data import Dataset
from ._assess import scores
from ._grid import over_grid


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
        statistic: data -> whatever is fitted: coefficients, a prediction. The data that it is given have weights.
        data: without weights.
        features: of the row added.
        targets: of the row added, one after the other.

    Raises:
        ValueError: data with weights, features or targets of another shape.

    Source: Tukey (1977), Exploratory Data Analysis; Hampel et al. (1986), Robust Statistics, section 2.1e.
    """
    if data.weights is not None:
        raise ValueError("A sensitivity curve is of rows that count alike, without weights: leave the weights out.")
    features, targets = _row(data, features, targets)
    rows = data.targets.shape[0]
    wider = jnp.concatenate([data.features, features[None]])

    def with_row(target: Array, weight: Array) -> PyTree:
        weights = jnp.append(jnp.ones(rows, wider.dtype), weight)
        return statistic(Dataset(wider, jnp.append(data.targets, target), weights))

    # The fit without the row is that with the row at weight 0, so that one compilation serves both.
    fits = over_grid(
        lambda i: with_row(jnp.append(targets, targets[0])[i], jnp.where(i < targets.size, 1.0, 0.0)),
        jnp.arange(targets.size + 1),
    )
    return jax.tree.map(lambda leaf: (rows + 1) * (leaf[:-1] - leaf[-1:]), fits)


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

    Formula: `-H^-1 grad l`, with H the Hessian of the mean loss of the data at `params` and `l` the loss of the row,
    by automatic differentiation. For a loss of slope psi that is `psi(target - prediction) H^-1 x`. Under absolute
    error, whose curvature is nowhere but at the kink, H is 0 and the result is not finite.

    Raises:
        ValueError: features or targets of another shape.

    Source: Hampel (1974), JASA 69; Hampel et al. (1986), equation (6.2.4).
    """
    features, targets = _row(data, features, targets)
    flat, restore = ravel_pytree(params)

    def mean_cost(vector: Array) -> Array:
        return cost(loss)(scores(model, restore(vector), data.features), data.targets, weights=data.weights)

    def pull(target: Array) -> Array:
        return jax.grad(lambda vector: loss(model.predict(restore(vector), features), target))(flat)

    effects = -jnp.linalg.solve(jax.hessian(mean_cost)(flat), jax.vmap(pull)(targets).T).T
    return jax.vmap(restore)(effects)


def _row(data: Dataset, features: Float[Array, " d"], targets: Float[Array, " points"]) -> tuple[Array, Array]:
    """The features and the targets of the row as arrays."""
    features, targets, columns = jnp.asarray(features), jnp.asarray(targets), data.features.shape[1:]
    if features.shape != columns:
        raise ValueError(f"features of the row have shape {features.shape}, those of the data's rows {columns}.")
    if targets.ndim != data.targets.ndim or not targets.size:
        raise ValueError(f"targets has shape {targets.shape}: give a vector of those to try, one or more.")
    return features, targets
