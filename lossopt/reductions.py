"""Reductions: how per-example losses become one number, `(values, weights) -> scalar`.

Weights are at least 0, and 0 leaves a value out. `lossopt.cost(loss, reduction)` takes any of them, or one's own.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float


Reduction = Callable[[Array, Array], Array]


def mean(values: Float[Array, "*batch"], weights: Float[Array, "*batch"]) -> Float[Array, ""]:
    """Σwℓ/Σw, and 0 where no weight is left."""
    wide, by = _wide(values), _wide(weights)
    by = relative(by)
    mass = jnp.sum(by)
    # A weight that is not a number makes a mean that is none.
    nothing = mass == 0
    return jnp.where(nothing, 0.0, jnp.sum(by * wide) / jnp.where(nothing, 1.0, mass)).astype(values.dtype)


def total(values: Float[Array, "*batch"], weights: Float[Array, "*batch"]) -> Float[Array, ""]:
    """Σwℓ."""
    return jnp.sum(_wide(weights) * _wide(values)).astype(values.dtype)


def root_mean(values: Float[Array, "*batch"], weights: Float[Array, "*batch"]) -> Float[Array, ""]:
    """√(Σwℓ/Σw); at a perfect fit, where the slope of the root is infinite, the gradient 0 is chosen."""
    inside = mean(values, weights)
    perfect = inside == 0
    return jnp.where(perfect, 0.0, jnp.sqrt(jnp.where(perfect, 1.0, inside)))


def trimmed_mean(fraction: ArrayLike) -> Reduction:
    """The mean of all losses but the largest `fraction` of their weight: with squared error, least trimmed squares.

    The example in which the fraction ends is left out in part. The gradient is that of the examples kept.

    Args:
        fraction: in [0, 1); may be traced.

    Raises:
        ValueError: the fraction is out of range.

    Source: Rousseeuw (1984), Journal of the American Statistical Association 79, section 3.
    """
    _check("fraction", fraction, 0 <= _known(fraction, 0.0) < 1, "at least 0 and below 1")
    return jax.tree_util.Partial(_smallest, fraction)


def conditional_value_at_risk(level: ArrayLike) -> Reduction:
    """The mean of the largest `1 - level` of the losses, by weight: the expected shortfall. At level 0 it is the mean.

    The example in which the share ends counts in part. The gradient is that of the examples that count, so training
    with it looks at the worst ones only.

    Args:
        level: in [0, 1); may be traced.

    Raises:
        ValueError: the level is out of range.

    Source: Rockafellar and Uryasev (2000), Journal of Risk 2, proposition 2.
    """
    _check("level", level, 0 <= _known(level, 0.0) < 1, "at least 0 and below 1")
    return jax.tree_util.Partial(_largest, level)


def tilted(tilt: ArrayLike) -> Reduction:
    """`log(Σ w exp(tilt ℓ) / Σw) / tilt`: the mean at tilt 0, above it towards the largest loss, below to the smallest.

    With d the distance to the largest loss (the smallest for tilt < 0), `tilt d` is never positive, and the formula is
    the extreme loss plus `log1p(mean(expm1(tilt d))) / tilt`: nothing overflows, and small tilts keep their digits.

    Args:
        tilt: any finite number, in the inverse of the loss's unit; may be traced.

    Raises:
        ValueError: the tilt is not finite.

    Source: Li et al. (2021), ICLR, equation (2).
    """
    _check("tilt", tilt, math.isfinite(_known(tilt, 0.0)), "finite")
    return jax.tree_util.Partial(_tilted, tilt)


def relative(weights: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """In units of the largest, or about: large ones may have no sum, and a small one times a loss may be nothing."""
    largest = jax.lax.stop_gradient(jnp.max(weights, initial=0.0))
    # By no more than what has a reciprocal, with which XLA multiplies.
    unit = jnp.minimum(largest, jnp.finfo(weights.dtype).max / 8)
    return weights / jnp.where((largest > 0) & (largest < jnp.inf), unit, 1.0)


def _wide(values: Array) -> Array:
    """Numbers to be summed: of 16 bits, some ten thousand would be no more than infinity, or too coarse."""
    return values.astype(jnp.float32) if jnp.finfo(values.dtype).bits < 32 else values


def _smallest(fraction: ArrayLike, values: Array, weights: Array) -> Array:
    return _lowest(values, weights, 1 - jnp.asarray(fraction, values.dtype), nan_first=False)


def _largest(level: ArrayLike, values: Array, weights: Array) -> Array:
    return -_lowest(-values, weights, 1 - jnp.asarray(level, values.dtype), nan_first=True)


def _lowest(values: Array, weights: Array, share: Array, *, nan_first: bool) -> Array:
    """The mean of the smallest values, up to a share of all weight; what is not a number counts as one end of them."""
    values, weights = values.ravel(), relative(_wide(weights.ravel()))
    ranked = jnp.where(jnp.isnan(values), -jnp.inf, values) if nan_first else values
    order = jnp.argsort(jax.lax.stop_gradient(jnp.where(weights > 0, ranked, jnp.inf)))
    sorted_weights = weights[order]
    before = jnp.cumsum(sorted_weights) - sorted_weights
    kept = jnp.clip(_wide(share) * jnp.sum(weights) - before, 0.0, sorted_weights)
    # A loss that is infinite or NaN, and left out, must not enter as 0 times itself.
    return mean(jnp.where(kept > 0, values[order], 0.0), kept)


def _tilted(tilt: ArrayLike, values: Array, weights: Array) -> Array:
    tilt = jnp.asarray(tilt, values.dtype)
    there = weights > 0
    extreme = jnp.where(
        tilt >= 0, jnp.max(values, where=there, initial=-jnp.inf), jnp.min(values, where=there, initial=jnp.inf)
    )
    extreme = jax.lax.stop_gradient(jnp.where(jnp.any(there), extreme, 0.0))
    away = jnp.where(there, values - extreme, 0.0)
    # (expm1(x)/x) and (log1p(y)/y) are 1 at 0, and 0 is where the mean is.
    inner = mean(away * _ratio(jnp.expm1, tilt * away), weights)
    return extreme + inner * _ratio(jnp.log1p, tilt * inner)


def _ratio(function: Callable[[Array], Array], x: Array) -> Array:
    """function(x) / x for a function x + c x**2 + ..., by two terms of its series where more would not count."""
    near = jnp.abs(x) < jnp.sqrt(jnp.finfo(x.dtype).eps)
    far = jnp.where(near, 1.0, x)
    second = 0.5 if function is jnp.expm1 else -0.5
    return jnp.where(near, 1 + second * x, function(far) / far)


def _known(value: ArrayLike, stand_in: float) -> float:
    return stand_in if isinstance(value, jax.core.Tracer) else float(jnp.asarray(value))


def _check(name: str, value: ArrayLike, good: bool, wanted: str) -> None:
    if not good:
        raise ValueError(f"{name}={value}: give a number that is {wanted}.")
