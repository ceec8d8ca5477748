"""What the coefficients that were found cost."""

import functools

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
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """The cost with its penalties, and whether other coefficients are seen to cost as little.

    Those are multiples of a classifier's that costs nothing.
    """
    # The root first, for 0 times a square that overflows is not 0.
    penalty = jnp.sum((jnp.sqrt(l2) * params.weights) ** 2) / 2
    penalty = penalty if l1 is None else penalty + l1 * jnp.sum(jnp.abs(params.weights))
    mean = functools.partial(_mean, loss, model, basis, targets)
    if not forgiving(loss):
        return mean(params) + penalty, jnp.array(False)
    both = jax.vmap(mean)(jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params))
    nothing = jnp.max(both) + penalty <= jnp.finfo(penalty.dtype).eps ** 2
    coefficients, _ = ravel_pytree(params)
    return both[0] + penalty, nothing & jnp.any(coefficients != 0)


def _mean(loss: losses.Loss, model: models.Model, basis: Design, targets: Array, params: models.Params) -> Array:
    # An example of share 0 is a copy of one that counts, for which nothing need stand in.
    each = per_example(loss)
    if basis.formed is not None:
        scores = jax.vmap(model.predict, in_axes=(None, 0))(params, basis.features)
        return basis.share @ each(scores, targets)
    inner = basis.inner_of(params)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        return Fold(share @ each(basis.scores(inner).T, targets))

    return basis.fold(of_block, targets).sums
