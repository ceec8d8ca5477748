"""The shapes of robust losses in units of their scale, each x**2/2 times a constant at 0, each with its derivative.

As in `_elementary`, the derivatives are in closed form, so that slope and curvature keep their digits in the tails.
"""

import math

import jax.numpy as jnp
from jax import Array

from ._elementary import differentiated_by


def _within(x: Array, bound: float) -> Array:
    """x, held in [-bound, bound]; NaN stays NaN."""
    return jnp.clip(x, -bound, bound)


def _squarable(x: Array) -> Array:
    """x, held where its square is finite; beyond, every shape has reached its limit."""
    return _within(x, math.sqrt(float(jnp.finfo(x.dtype).max)) / 2)


@differentiated_by(lambda x: -2 * jnp.sign(x) / (1 + jnp.abs(x)) ** 3)
def _fair_curvature(x: Array) -> Array:
    q = 1 / (1 + jnp.abs(x))
    return q * q


@differentiated_by(_fair_curvature)
def _fair_slope(x: Array) -> Array:
    size = jnp.abs(x)
    far = jnp.isinf(x)
    return jnp.where(far, jnp.sign(x), jnp.where(far, 0.0, x) / (1 + size))


@differentiated_by(_fair_slope)
def fair(x: Array) -> Array:
    """|x| - log1p|x|.

    With s = x / (2 + x), log1p(x) is 2 atanh(s), and x - 2 s is x s: below 1 the difference is
    s (x - 2 s**2 (1/3 + s**2/5 + ...)), in which nothing cancels.
    """
    size = jnp.abs(x)
    near = size < 1
    small, large = jnp.where(near, size, 0.0), jnp.where(near | jnp.isinf(size), 1.0, size)
    s = small / (2 + small)
    # s**2 is at most 1/9.
    terms = math.ceil(-math.log(float(jnp.finfo(x.dtype).eps)) / math.log(9)) + 1
    series = jnp.polyval(jnp.asarray([1 / (2 * n + 3) for n in reversed(range(terms))], x.dtype), s * s)
    far = jnp.where(jnp.isinf(size), jnp.inf, large - jnp.log1p(large))
    return jnp.where(near, s * (small - 2 * s * s * series), jnp.where(jnp.isnan(x), x, far))


def _bell(x: Array) -> Array:
    # exp(-x**2) is 0 in any float from 30 on, and x**2 finite up to there.
    return jnp.exp(-(_within(x, 30.0) ** 2))


@differentiated_by(lambda x: 2 * (1 - 2 * _within(x, 30.0) ** 2) * _bell(x))
def _welsch_slope(x: Array) -> Array:
    return 2 * _within(x, 30.0) * _bell(x)


@differentiated_by(_welsch_slope)
def welsch(x: Array) -> Array:
    """1 - exp(-x**2)."""
    return -jnp.expm1(-(_within(x, 30.0) ** 2))


def _geman_curvature(x: Array) -> Array:
    x = _squarable(x)
    q = 1 / (1 + x * x)
    return 2 * q * q * (1 - 4 * (x * (x * q)))


@differentiated_by(_geman_curvature)
def _geman_slope(x: Array) -> Array:
    x = _squarable(x)
    q = 1 / (1 + x * x)
    return 2 * (x * q) * q


@differentiated_by(_geman_slope)
def geman(x: Array) -> Array:
    """x**2 / (1 + x**2)."""
    x = _squarable(x)
    return x * (x / (1 + x * x))


def _distance_to_one(x: Array) -> Array:
    # 1 - x**2 inside the unit interval, 0 outside; the factors keep its relative accuracy near the ends.
    return jnp.where(jnp.abs(x) >= 1, 0.0, (1 - x) * (1 + x))


def _biweight_curvature(x: Array) -> Array:
    gap = _distance_to_one(x)
    return 6 * gap * (1 - 5 * jnp.where(gap == 0, 0.0, x * x))


@differentiated_by(_biweight_curvature)
def _biweight_slope(x: Array) -> Array:
    gap = _distance_to_one(x)
    return 6 * jnp.where(gap == 0, 0.0, x) * gap**2


@differentiated_by(_biweight_slope)
def biweight(x: Array) -> Array:
    """1 - (1 - x**2)**3 inside the unit interval, 1 outside; as x**2 (1 + g + g**2) with g = 1 - x**2."""
    gap = _distance_to_one(x)
    inside = jnp.where(gap == 0, 1.0, x)
    return inside * inside * (1 + gap + gap * gap)


def _hampel_curvature(x: Array) -> Array:
    size = jnp.abs(x)
    outer = jnp.where(size <= 0.5, 0.0, jnp.where(size <= 1, -0.5, 0.0))
    return jnp.where(size <= 0.25, 1.0, outer).astype(x.dtype)


@differentiated_by(_hampel_curvature)
def _hampel_slope(x: Array) -> Array:
    size = jnp.abs(x)
    return jnp.sign(x) * jnp.minimum(jnp.minimum(size, 0.25), jnp.maximum(0.0, (1 - size) / 2))


@differentiated_by(_hampel_slope)
def hampel(x: Array) -> Array:
    """Half of x**2 up to 1/4; with slope 1/4 up to 1/2; flattening to 5/32 at 1.

    As the integrals of the three pieces, each over the part of |x| that lies in it: 0 where there is none.
    """
    size = jnp.abs(x)
    bowl, cone, fall = jnp.minimum(size, 0.25), jnp.clip(size, 0.25, 0.5) - 0.25, jnp.clip(size, 0.5, 1.0) - 0.5
    return bowl * bowl / 2 + cone / 4 + fall * (1 - fall) / 4


def _below_pi(x: Array) -> tuple[Array, Array]:
    """Whether |x| <= pi, in terms of the largest float that is, and x where so, else 0."""
    inside = ~(jnp.abs(x) > _PI[x.dtype.itemsize])
    return inside, jnp.where(inside, x, 0.0)


# The largest float below pi by size: rounding to nearest lies above it in single precision.
_PI = {8: math.pi, 4: 3.1415925, 2: 3.140625}


def _andrews_curvature(x: Array) -> Array:
    inside, near = _below_pi(x)
    return jnp.where(inside, jnp.cos(near), 0.0)


@differentiated_by(_andrews_curvature)
def _andrews_slope(x: Array) -> Array:
    inside, near = _below_pi(x)
    return jnp.where(inside, jnp.sin(near), 0.0)


@differentiated_by(_andrews_slope)
def andrews(x: Array) -> Array:
    """1 - cos x up to pi, as 2 sin(x/2)**2, and 2 beyond."""
    inside, near = _below_pi(x)
    half = jnp.sin(near / 2)
    return jnp.where(inside, 2 * half * half, 2.0)
