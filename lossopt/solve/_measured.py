"""Whether a loss without a card is convex, as far as can be seen: what is known of it beyond the minimum that is found.

A loss is convex if it lies above each of its tangents. That is asked of neighbours on a grid of scores, on both sides
of some targets and over some decades; a loss that is not convex in between passes.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import losses
from ..compiling import AT_ONCE
from ..data import spread, traced


# Scores that are looked at on either side of 0 and of a target, in units of the largest target; targets; directions of
# several scores.
_STEPS, _TARGETS, _LINES = np.geomspace(1e-3, 1e3, 25), 16, 6
# By how much a tangent may be too high, in units of its terms' rounding.
_ROUNDING = 1e4


def seems_convex(loss: losses.Loss, targets: Any, classes: int | None) -> bool:
    """Whether nothing speaks against it; False where hyperparameters are traced."""
    if traced(loss):
        return False
    known = not (traced(targets) or spread(targets))
    whole = jnp.issubdtype(targets.dtype, jnp.integer)
    some = np.asarray(targets)[:: -(-len(targets) // _TARGETS)] if known else np.arange(2)
    # Measured in the widest float, whatever that of the data is: a loss need not accept two.
    dtype = targets.dtype if whole else jnp.result_type(float)
    some = some.astype(dtype) if known or targets.ndim == 1 else np.eye(targets.shape[1], dtype=dtype)
    largest = 1.0 if whole else max(float(np.max(np.abs(some))), 1.0)
    steps = largest * np.concatenate([-_STEPS[::-1], [0.0], _STEPS])
    origins = [0.0] if whole or some.ndim > 1 or classes else [0.0, *np.unique(some).tolist()]
    along = np.unique(np.concatenate([origin + steps for origin in origins]))
    directions = np.random.default_rng(0).normal(size=(_LINES, classes)) if classes else np.ones(())
    bound = losses.as_pytree(loss)
    with jax.ensure_compile_time_eval():
        seen = _along(bound, along, directions, some)
    value, slope = (np.asarray(each, float) for each in seen)
    return _above_tangents(along, value, slope)


@jax.jit(compiler_options=AT_ONCE)
def _along(loss: Any, along: Array, directions: Array, targets: Array) -> tuple[Array, Array]:
    """Values and slopes, by target and line, at some places along it."""

    def at(place: Array, direction: Array, target: Array) -> tuple[Array, Array]:
        return jax.value_and_grad(lambda place: loss(place * direction, target))(place)

    by_place = jax.vmap(at, in_axes=(0, None, None))
    by_line = jax.vmap(by_place, in_axes=(None, 0, None)) if directions.ndim else by_place
    return jax.vmap(by_line, in_axes=(None, None, 0))(along, directions, targets)


def _above_tangents(along: np.ndarray, value: np.ndarray, slope: np.ndarray) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        step, rise = np.diff(along), np.diff(value)
        tangents = slope[..., :-1] * step, slope[..., 1:] * step
        size = np.abs(value[..., 1:]) + np.abs(value[..., :-1]) + np.abs(tangents[0]) + np.abs(tangents[1])
        # What is left of a difference of scores has their rounding.
        usual = np.max(np.abs(slope[..., np.abs(along) <= 1.0]), initial=0.0)
        size = size + np.where(np.isfinite(usual), usual, 0.0) * np.abs(along[1:])
        slack = _ROUNDING * np.finfo(jnp.result_type(float)).eps * size
        below = (tangents[0] > rise + slack) | (tangents[1] < rise - slack)
    return not np.any(below & np.isfinite(size))
