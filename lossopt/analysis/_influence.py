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

    Source: Tukey (1977), Exploratory Data Analysis; Hampel et al. (1986), Robust Statistics, section 2.1e.
    """
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

    Source: Hampel (1974), JASA 69; Hampel et al. (1986), equation (6.2.4).
    """
    flat, restore = ravel_pytree(params)

    def mean_cost(vector: Array) -> Array:
        return cost(loss)(scores(model, restore(vector), data.features), data.targets, weights=data.weights)

    def pull(target: Array) -> Array:
        return jax.grad(lambda vector: loss(model.predict(restore(vector), features), target))(flat)

    effects = -jnp.linalg.solve(jax.hessian(mean_cost)(flat), jax.vmap(pull)(targets).T).T
    return jax.vmap(restore)(effects)
