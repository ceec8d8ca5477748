"""A choice among losses by a number, so that all of them are one compiled programme."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._card import LossCard
from .._kinds import Interval
from .._register import claim, claims, derive, Loss
from ._part import part, require_one_kind, shell, unclaimed


def _choice_card(losses: tuple[Loss, ...], index: Any) -> LossCard:
    """What holds whatever the index, which may be traced."""
    fields = (
        "kinks", "lipschitz", "smoothness", "least_curvature", "supremum", "redescending", "symmetric", "origin",
        "tails", "zero_at_perfect_fit", "non_negative", "elicits", "proper", "calibrated", "noise_symmetric",
        "efficiency", "noise",
    )  # fmt: skip
    return unclaimed(
        **shell("one_of", *losses),
        formula=r";\ ".join(claims(loss).formula for loss in losses),
        hyperparameters={"index": Interval(0, len(losses) - 1)},
        **{field: functools.partial(_agreed, losses, field) for field in fields},
    )


def _agreed(losses: tuple[Loss, ...], field: str) -> Any:
    first, *others = (claim(loss, field) for loss in losses)
    return first if all(other == first for other in others) else None


@derive(_choice_card)
def _one_of(prediction: Any, target: Any, *, losses: tuple[Loss, ...], index: ArrayLike = 0) -> jax.Array:
    if not jnp.issubdtype(jnp.result_type(index), jnp.integer):
        raise TypeError(f"one_of takes a whole number as its index, not {index}.")
    return jax.lax.switch(index, losses, prediction, target)


def one_of(*losses: Loss) -> Loss:
    """Several losses as one loss with a hyperparameter `index` that says which.

    A fit under it is compiled once, and `vmap` over `index` runs all the losses side by side:
    `bind(one_of(huber, cauchy), index=jnp.arange(2))`. Each is evaluated for every example then, so use it where
    compilation costs more than arithmetic. Its card claims what all of them claim.

    Raises:
        TypeError: a loss is not a function or, when it is called, the index no integer.
        ValueError: no loss is given, or they are of different kinds.
    """
    if not losses:
        raise ValueError("one_of needs at least one loss.")
    require_one_kind(losses, "one_of")
    return jax.tree_util.Partial(_one_of, losses=tuple(part(loss) for loss in losses))
