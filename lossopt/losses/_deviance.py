"""What the deviances share: the choice between a deviance and its kernel, and the divergence of two probabilities."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ._arguments import known_zero, like
from ._elementary import differentiated_by, excess, relative_expm1, second_order


Function = Callable[..., Array]


class HalfDeviance(NamedTuple):
    """Half a deviance, with or without the terms of the target alone, both with one slope in the prediction."""

    kernel: Function
    whole: Function
    either: Function

    def __call__(self, full: ArrayLike, prediction: Array, *rest: Array) -> Array:
        """Only what is needed is compiled, unless `full` is traced."""
        if known_zero(full):
            return self.kernel(prediction, *rest)
        if full is True:
            return self.whole(prediction, *rest)
        return self.either(prediction, *rest, like(full, prediction))


def half_deviance(slope: Function, kernel: Function, whole: Function) -> HalfDeviance:
    """Put the parts together; each is a function of the prediction, the target and the hyperparameters."""

    # One rule around the choice, and no `where`: beside an infinite slope the branch not chosen would give NaN.
    @differentiated_by(lambda *arguments: slope(*arguments[:-1]))
    def either(*arguments: Array) -> Array:
        return jax.lax.cond(arguments[-1] != 0, whole, kernel, *arguments[:-1])

    attach = differentiated_by(slope)
    return HalfDeviance(attach(kernel), attach(whole), either)


def above_fit(s: Array, y: Array) -> Array:
    """u = s - log y, +inf at y = 0."""
    zero = y == 0
    u = s - jnp.log(jnp.where(zero, 1.0, y))
    return jnp.where(zero, jnp.where(jnp.isnan(s), s, jnp.inf), u)


def share_divergence(weight: Array, share: Array, v: Array) -> Array:
    """weight (log(1 + share (e^v - 1)) / share - v) for a share in [0, 1/2]; of order weight (1 - share) v**2 / 2.

    With x = share expm1(v) it is e^v - 1 - v less (x - log1p(x)) / share, of which the second is at most half.
    Far out e^v is taken together with the share, and the weight with its inverse, for they could overflow alone.
    """
    near = jnp.abs(v) < 1
    at = jnp.where(near, v, 0.0)
    rise = jnp.expm1(at)
    w = jnp.log1p(share * rise)
    close = excess(at) - share * (rise / relative_expm1(w)) ** 2 * second_order(w)
    # A share that is rounded to 0 is as good as this one.
    safe = jnp.maximum(share, 256 * float(jnp.finfo(share.dtype).tiny))
    log_part = v + jnp.log(safe)
    huge = log_part > 40
    rising = jnp.where(huge, log_part, jnp.log1p(jnp.exp(jnp.where(huge, 0.0, log_part)) - safe))
    falling = jnp.log1p(safe * jnp.expm1(-jnp.abs(v)))
    far = jnp.where(v > 0, rising, falling) - safe * jnp.where(jnp.isinf(v), -jnp.inf, v)
    return jnp.where(near, weight * close, weight / safe * far)
