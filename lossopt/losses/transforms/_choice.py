"""A choice among losses by a number, so that all of them are one compiled programme."""

from typing import Any

import jax
from jax.typing import ArrayLike

from .._register import Loss
from ._part import part


def _chosen(prediction: Any, target: Any, *, losses: tuple[Loss, ...], index: ArrayLike = 0) -> jax.Array:
    return jax.lax.switch(index, losses, prediction, target)


def one_of(*losses: Loss) -> Loss:
    """Several losses as one loss with a hyperparameter `index` that says which.

    A fit under it is compiled once, and `vmap` over `index` runs all the losses side by side:
    `bind(one_of(huber, cauchy), index=jnp.arange(2))`. Each is evaluated for every example then, so use it where
    compilation costs more than arithmetic. The losses must take the same kind of prediction and target.

    Raises:
        TypeError: a loss is not a function. ValueError: no loss is given.
    """
    if not losses:
        raise ValueError("one_of needs at least one loss.")
    return jax.tree_util.Partial(_chosen, losses=tuple(part(loss) for loss in losses))
