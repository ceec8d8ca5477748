"""The standard normal distribution, exact in both tails: log of its distribution function, with three derivatives.

Everything follows from one smooth function of x >= 0, the excess of the hazard over x:
g(x) = phi(x) / Phi(-x) - x, which falls from 0.798 like 1/x.
"""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

from ._elementary import beyond, differentiated_by


# Chebyshev coefficients of (1 + x) g(x) in t = (x - 4) / (x + 4), which maps [0, inf) on [-1, 1).
_CHEBYSHEV = [
    1.0168805564426282, 0.06385599300140679, -0.11509035595355087, 0.038934029049955285, -0.003347370576381033,
    -0.0017736338770155734, 0.00054076040973986, 3.902404417582679e-05, -4.402617067828808e-05, 2.7612076544288964e-06,
    2.8674097969311685e-06, -4.995282519092665e-07, -1.5806245994487862e-07, 4.938482308086009e-08,
    7.114472972821824e-09, -3.943344498242817e-09, -2.0992695898584105e-10, 2.7542478232219564e-10,
    -3.2915681438704693e-12, -1.7161644057773937e-11, 1.2015595052796989e-12, 9.424312178635469e-13,
    -1.2792711904482796e-13, -4.2965402216873e-14, 1.0402939547533197e-14, 1.2728771741313967e-15,
    -7.396505877510461e-16, 2.5371822398405268e-17, 4.8303525393911786e-17, -9.078600944077399e-18,
]  # fmt: skip
# In powers of t, the highest first; 14 terms know what float32 knows.
_SINGLE, _DOUBLE = (np.polynomial.chebyshev.cheb2poly(_CHEBYSHEV[:terms])[::-1] for terms in (14, 30))
_LOG_ROOT_2_PI = 0.5 * math.log(2 * math.pi)


@differentiated_by(lambda x: (x + hazard_excess(x)) * hazard_excess(x) - 1)
def hazard_excess(x: Array) -> Array:
    """g(x) = phi(x) / Phi(-x) - x for x >= 0, to the last digits."""
    t = 1 - 8 / (x + 4)
    series = _DOUBLE if x.dtype == jnp.float64 else _SINGLE
    return jnp.polyval(jnp.asarray(series, x.dtype), t) / (1 + x)


def _density(x: Array) -> Array:
    # Beyond 1e3 the density is 0 in any float, and the square stays finite.
    held = jnp.minimum(jnp.abs(x), 1e3)
    return jnp.exp(-0.5 * held * held) / math.sqrt(2 * math.pi)


def _both_sides(m: Array) -> tuple[Array, Array, Array]:
    """For |m|: the excess of the hazard, the hazard, and the tail Phi(-|m|)."""
    size = jnp.abs(m)
    excess = hazard_excess(size)
    return excess, size + excess, _density(size) / (size + excess)


def _surprise_curvature(m: Array) -> Array:
    # h (h + m); on the left h + m is the excess itself, on the right both terms are positive.
    excess, hazard, tail = _both_sides(m)
    right = _density(m) / (1 - tail)
    return jnp.where(m < 0, _near_one(hazard, excess), right * (right + jnp.where(m < 0, 0.0, jnp.minimum(m, 1e3))))


def _near_one(hazard: Array, excess: Array) -> Array:
    # Far out the product is 1 to all digits, while the hazard may be infinite and the excess 0.
    far = beyond(hazard)
    return jnp.where(far, 1.0, jnp.where(far, 0.0, hazard) * excess)


@differentiated_by(_surprise_curvature)
def _surprise_slope(m: Array) -> Array:
    _, hazard, tail = _both_sides(m)
    return -jnp.where(m < 0, hazard, _density(m) / (1 - tail))


@differentiated_by(_surprise_slope)
def surprise(m: Array) -> Array:
    """-log Phi(m): on the left m**2 / 2 + log(sqrt(2 pi) hazard), on the right -log1p(-Phi(-m))."""
    _, hazard, tail = _both_sides(m)
    left = m < 0
    log_hazard = jnp.log(jnp.where(left, hazard, 1.0)) + _LOG_ROOT_2_PI
    near = jnp.where(left, m, 0.0)
    return jnp.where(left, 0.5 * near * near + log_hazard, -jnp.log1p(-jnp.where(left, 0.0, tail)))
