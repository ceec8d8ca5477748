"""How wide residuals are spread: the unit in which the thresholds of robust losses are given.

Each is the standard deviation at Gaussian noise, in the unit of the residuals; `mad`, `iqr` and `m_scale` hardly see
outliers. `lo.bind(losses.huber, delta=1.345 * lo.scale.mad(residuals))` sets a threshold.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from . import losses


# The upper quartile of the standard normal law; the biweight threshold and its mean loss at which half may be spoilt.
_QUARTILE = 0.6744897501960817
_BIWEIGHT_HALF = 1.5476449809087


def standard_deviation(residuals: losses.Vector) -> Float[Array, ""]:
    """`sqrt(mean((r - mean(r))**2))`: one outlier moves it without limit. NaN for no residuals."""
    r = _floating(residuals)
    # So that no square overflows, nor what XLA divides by, one over the unit, dies out.
    tiny = jnp.finfo(r.dtype).tiny
    unit = jnp.clip(jnp.max(jnp.abs(r), initial=0.0), tiny, 1 / (4 * tiny))
    return unit * jnp.std(r / unit)


def mad(residuals: losses.Vector, *, centre: losses.Scalar | None = None) -> Float[Array, ""]:
    """The median absolute deviation, `median|r - centre| / 0.6745`: right while less than half of the rows are spoilt.

    The same as R's `mad` and statsmodels' `scale.mad`. 0 where more than half of the residuals are equal; NaN for none.

    Args:
        residuals: (n,). centre: what to measure from; None is the median. 0 takes residuals of a fit as they are.

    Source: Hampel (1974), Journal of the American Statistical Association 69, section 4.
    """
    r = _floating(residuals)
    middle = jnp.median(r) if centre is None else jnp.asarray(centre, r.dtype)
    return jnp.median(jnp.abs(r - middle)) / _QUARTILE


def iqr(residuals: losses.Vector) -> Float[Array, ""]:
    """The interquartile range over that of the standard normal law, 1.349: right while under a quarter is spoilt.

    Quartiles are interpolated linearly, as by NumPy, and by R's default. NaN for no residuals.
    """
    r = _floating(residuals)
    low, high = jnp.quantile(r, jnp.asarray([0.25, 0.75], r.dtype))
    return (high - low) / (2 * _QUARTILE)


def m_scale(residuals: losses.Vector, *, centre: losses.Scalar | None = None) -> Float[Array, ""]:
    """Tukey's biweight M-scale with breakdown point one half: smoother than `mad`, and as hard to break.

    Formula: the s with `mean(tukey(r / s)) = sup(tukey) / 2` at c = 1.5476, by bisection between bounds that hold for
    any residuals. 0 where half of them or more are equal to the centre, inf where half are infinite; NaN for none.

    Args:
        residuals: (n,). centre: what to measure from; None is the median.

    Source: Rousseeuw and Yohai (1984), Robust and Nonlinear Time Series Analysis, section 2.
    """
    r = _floating(residuals)
    away = jnp.abs(r - (jnp.median(r) if centre is None else jnp.asarray(centre, r.dtype)))
    c = _BIWEIGHT_HALF

    def mean_loss(scale: Array) -> Array:
        return jnp.mean(jax.vmap(lambda one: losses.tukey(one / scale, 0.0, c=c))(away)) / (c * c / 6)

    # Where c s is the lower median, half of the losses or more lie at their cap: the root is not below. A loss is at
    # most 3 (r / (c s))**2 of its cap, or all of it where r is infinite: it is not above.
    n, far = away.size, jnp.isinf(away)
    room = 0.5 - jnp.mean(far.astype(r.dtype))
    low = jnp.sort(away)[(n - 1) // 2] / c
    high = jnp.max(jnp.where(far, 0.0, away)) * jnp.sqrt(3.0 / jnp.where(room > 0, room, 1.0)) / c
    high = jnp.minimum(high, jnp.finfo(r.dtype).max)
    solvable = ~jnp.isnan(high) & (room > 0) & (jnp.mean(away > 0) > 0.5)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = jnp.sqrt(ends[0]) * jnp.sqrt(ends[1])
        large = mean_loss(middle) > 0.5
        return jnp.where(large, middle, ends[0]), jnp.where(large, ends[1], middle)

    ends = (jnp.where(solvable, low, 1.0), jnp.where(solvable, high, 1.0))
    _, root = jax.lax.fori_loop(0, jnp.finfo(r.dtype).nmant + 8, halve, ends)
    degenerate = jnp.where(room > 0, 0.0, jnp.inf)
    return jnp.where(solvable, root, jnp.where(jnp.isnan(high), jnp.nan, degenerate))


def _floating(residuals: losses.Vector) -> Array:
    """As floats; of no residuals one that is NaN, as is whatever is found of it."""
    (r,) = losses.floats(jnp.asarray(residuals))
    if r.ndim != 1:
        raise ValueError(f"The residuals have shape {r.shape}: give a vector, by .ravel() or a column of it.")
    return r if r.size else jnp.full(1, jnp.nan, r.dtype)
