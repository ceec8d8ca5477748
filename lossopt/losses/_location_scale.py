"""How a loss reads a location and a log scale, and how its exact derivatives are attached.

With r = location - target, t = log scale and z = r exp(-t), a loss of this kind is a function of (r, t).
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ._arguments import floats, known_zero, like
from ._elementary import differentiated_by


Function = Callable[..., Array]


def located(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """r = location - target, and the log scale.

    Raises:
        ValueError: the prediction is not a vector of two numbers, or the target not a number.
    """
    prediction, target = floats(prediction, target)
    if prediction.shape != (2,) or target.ndim != 0:
        raise ValueError(
            f"This loss takes one vector (location, log scale) and one target, not shapes {prediction.shape} and "
            f"{target.shape}; for a batch use lossopt.per_example on predictions of shape (n, 2)."
        )
    return prediction[0] - target, prediction[1]


def over_scale(x: Array, t: Array) -> Array:
    """x exp(-t), in two halves, so that exp(-t) may overflow where the product does not; 0 where x is."""
    # Never infinite, as 0 times infinity is NaN; where this binds, the product overflows or x is 0.
    half = jnp.exp(jnp.minimum(-t / 2, 0.99 * math.log(float(jnp.finfo(t.dtype).max))))
    return x * half * half


def standardised(r: Array, t: Array) -> Array:
    """z = r exp(-t)."""
    return over_scale(r, t)


def with_derivatives(slopes: tuple[Function, Function], curvatures: tuple[Function, Function, Function]) -> Callable:
    """Decorator of f(r, t, ...): its slopes in r and t, and its second derivatives in (r, r), (r, t) and (t, t)."""
    by_rr, by_rt, by_tt = map(_finite, curvatures)
    by_r, by_t = differentiated_by(by_rr, by_rt)(slopes[0]), differentiated_by(by_rt, by_tt)(slopes[1])
    return differentiated_by(by_r, by_t)


def _finite(fn: Function) -> Function:
    # Forward mode multiplies by tangents that are 0, and 0 times infinity is NaN: an overflow is the largest number.
    def within(*args: Array) -> Array:
        value = fn(*args)
        most = float(jnp.finfo(value.dtype).max)
        return jnp.clip(value, -most, most)

    return within


def constant(full: ArrayLike, value: ArrayLike, loss: Array) -> Array:
    """The loss, and the constant of its density if `full`."""
    return loss if known_zero(full) else loss + like(full, loss) * jnp.asarray(value, loss.dtype)
