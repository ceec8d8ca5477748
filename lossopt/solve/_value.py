"""What the coefficients that were found cost."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from .. import losses, models
from ..cost import per_example
from ._blocks import Fold
from ._columns import Columns
from ._design import Design
from ._traits import forgiving


def value_at(
    loss: losses.Loss,
    model: models.Model,
    basis: Design,
    targets: Array,
    params: models.Params,
    l1: Float[Array, ""] | None,
    l2: Float[Array, ""],
    known: tuple[Float[Array, ""], Bool[Array, ""]] | None = None,
) -> tuple[Float[Array, ""], Float[Array, ""], Bool[Array, ""]]:
    """The cost with its penalties, that of scores of 0, and whether other coefficients are seen to cost as little.

    Those are multiples of a classifier's that costs nothing. Of a table in blocks the cost may be `known`, and whether
    that is exact; if so, no example is looked at.
    """
    # The root first, for 0 times a square that overflows is not 0.
    penalty = jnp.sum((jnp.sqrt(l2) * params.weights) ** 2) / 2
    penalty = penalty if l1 is None else penalty + l1 * jnp.sum(jnp.abs(params.weights))
    times = jnp.array([0.0, 1.0, 2.0] if forgiving(loss) else [0.0, 1.0], penalty.dtype)
    cost, exact = (penalty, jnp.array(False)) if known is None or forgiving(loss) else known
    trivial, mean, *twice = _means(loss, model, basis, targets, params, times, jnp.where(exact, 0, 1))
    if not twice:
        return jnp.where(exact, cost, mean + penalty), trivial, jnp.array(False)
    nothing = jnp.maximum(mean, twice[0]) + penalty <= jnp.finfo(penalty.dtype).eps ** 2
    coefficients, _ = ravel_pytree(params)
    return mean + penalty, trivial, nothing & jnp.any(coefficients != 0)


def _means(
    loss: losses.Loss,
    model: models.Model,
    basis: Design,
    targets: Array,
    params: models.Params,
    times: Array,
    every: Array,
) -> Array:
    """The mean loss at some multiples of the coefficients, whose scores are those of the coefficients.

    Of a table in blocks, over all of them or, if `every` is 0, over none.
    """

    def costs(share: Array, scores: Array, targets: Array) -> Array:
        # An example of share 0 is a copy of one that counts, for which nothing need stand in.
        return jax.lax.map(lambda factor: share @ per_example(loss)(factor * scores, targets), times)

    if basis.formed is not None:
        scores = model.scores(params, basis.features)
        return costs(basis.share, scores, targets)
    inner = basis.inner_of(params)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        return Fold(costs(share, basis.scores(inner).T, targets))

    return basis.fold(of_block, targets, every=every).sums
