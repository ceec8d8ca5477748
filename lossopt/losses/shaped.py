"""Losses of the residual r with a dial: how wide a dead zone, how much worse one side, which power."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, residual, Scalar, sided, times
from ._card import LossCard
from ._elementary import differentiated_by
from ._kinds import ANY_FINITE, Growth, Interval, NON_NEGATIVE_FINITE
from ._register import register


FROM_ONE = Interval(1.0, math.inf, (True, False))


def _ends(epsilon: Any) -> tuple[Any, ...]:
    """The ends of a dead zone, which have one place where it surely has no width; of a width that is traced two."""
    return (0.0,) if not isinstance(epsilon, jax.core.Tracer) and epsilon == 0 else (-epsilon, epsilon)


def _outside(epsilon: float) -> float:
    """The probability that standard normal noise leaves [-epsilon, epsilon]."""
    return math.erfc(epsilon / math.sqrt(2))


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _dead_zone_efficiency(epsilon: float) -> float:
    outside = _outside(epsilon)
    # Where the noise never leaves the dead zone nothing is learnt.
    return 4 * _density(epsilon) ** 2 / outside if outside else 0.0


def _squared_dead_zone_efficiency(epsilon: float) -> float:
    outside = _outside(epsilon)
    return outside**2 / ((1 + epsilon**2) * outside - 2 * epsilon * _density(epsilon)) if outside else 0.0


def _beyond(r: Array, epsilon: Array) -> Array:
    """What of r lies outside [-epsilon, epsilon], with its sign; 0 inside."""
    outside = ~(jnp.abs(r) < epsilon)
    return jnp.where(outside, jnp.where(r < 0, r + epsilon, r - epsilon), 0.0)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\max(0, |r| - \epsilon)",
        hyperparameters={"epsilon": NON_NEGATIVE_FINITE},
        kinks=_ends,
        lipschitz=1.0,
        origin=lambda epsilon: None if epsilon else 1,
        elicits=lambda epsilon: None if epsilon else "median",
        efficiency=_dead_zone_efficiency,
        noise=lambda epsilon: None if epsilon else "laplace",
        reference="Vapnik (1995)",
    )
)
def epsilon_insensitive(prediction: Scalar, target: Scalar, *, epsilon: ArrayLike = 0.1) -> Float[Array, ""]:
    """Absolute error with a dead zone: what is nearer than `epsilon` costs nothing, as in support-vector regression.

    Formula: `max(0, |r| - epsilon)`; the sub-gradient chosen at `|r| = epsilon` is 0. The absolute error at
    epsilon = 0. scikit-learn's `SGDRegressor(loss="epsilon_insensitive")` has this factor and default.

    Args:
        prediction, target: real numbers in the unit of the target, which is also the loss's.
        epsilon: half-width of the dead zone in the unit of the target, in [0, inf).

    Source: Vapnik (1995), The Nature of Statistical Learning Theory, section 6.1.
    """
    r = residual(prediction, target)
    beyond = _beyond(r, like(epsilon, r))
    return beyond * sided(beyond, -1.0, 1.0)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\max(0, |r| - \epsilon)^2",
        hyperparameters={"epsilon": NON_NEGATIVE_FINITE},
        smoothness=2.0,
        least_curvature=lambda epsilon: 0.0 if epsilon else 2.0,
        origin=lambda epsilon: None if epsilon else 2,
        tails="quadratic",
        elicits=lambda epsilon: None if epsilon else "mean",
        efficiency=_squared_dead_zone_efficiency,
        noise=lambda epsilon: None if epsilon else "gaussian",
        reference="Vapnik (1995)",
    )
)
def squared_epsilon_insensitive(prediction: Scalar, target: Scalar, *, epsilon: ArrayLike = 0.1) -> Float[Array, ""]:
    """Squared error with a dead zone: what is nearer than `epsilon` costs nothing.

    Formula: `max(0, |r| - epsilon)**2`, without a factor one half; the curvature reported at `|r| = epsilon` is that
    outside, 2. The squared error at epsilon = 0. scikit-learn's `SGDRegressor` has this factor.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        epsilon: half-width of the dead zone in the unit of the target, in [0, inf).

    Source: Vapnik (1995), The Nature of Statistical Learning Theory, section 6.1.
    """
    r = residual(prediction, target)
    beyond = _beyond(r, like(epsilon, r))
    return beyond * beyond


def _split(r: Array, a: Array) -> tuple[Array, Array, Array, Array]:
    """Whether |a r| < 1, and a r there (else 0); then r and a elsewhere (else 1), where a divides."""
    x = times(a, r)
    near = ~(jnp.abs(x) >= 1)
    return near, jnp.where(near, x, 0.0), jnp.where(near, 1.0, r), jnp.where(near, 1.0, a)


def _linex_curvature(r: Array, a: Array) -> Array:
    return 2 * jnp.exp(times(a, r))


@differentiated_by(_linex_curvature)
def _linex_slope(r: Array, a: Array) -> Array:
    """2 expm1(a r) / a, with t = a r / 2: near 0 as 2 r exp(t) sinh(t) / t; beyond as exp(t) exp(t)."""
    half = times(a, r) / 2
    near, root, inverse = ~(jnp.abs(half) >= 0.5), jnp.exp(half), 1 / jnp.where(a == 0, 1.0, a)
    return 2 * jnp.where(near, r * (root * _sinh_ratio(jnp.where(near, half, 0.0))), root * (root * inverse) - inverse)


def _sinh_ratio(t: Array) -> Array:
    """sinh(t) / t for |t| <= 1/2, by its series in t**2."""
    return _polynomial(t * t, 0.25, lambda n: math.factorial(2 * n + 1))


def _polynomial(x: Array, largest: float, divisor: Callable[[int], int]) -> Array:
    """The sum of x**n / divisor(n) for |x| <= largest, with as many terms as the precision of x can tell."""
    eps = float(jnp.finfo(x.dtype).eps)
    terms = next(n for n in itertools.count() if largest**n / divisor(n) < eps / 4)
    return jnp.polyval(jnp.asarray([1 / divisor(n) for n in reversed(range(terms))], x.dtype), x)


@differentiated_by(_linex_slope)
def _linex(r: Array, a: Array) -> Array:
    near, x, far, a = _split(r, a)
    root = jnp.exp(a * far / 2) / a
    # Beyond 64 the line is no part of the sum, and at infinity it would be one of inf - inf.
    line = jnp.where(a * far > 64, 0.0, far + 1 / a)
    return jnp.where(
        near, 2 * r * (r * _polynomial(x, 1.0, lambda n: math.factorial(n + 2))), 2 * (root * root - line / a)
    )


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{2}{a^2} \left(e^{a r} - a r - 1\right)",
        hyperparameters={"a": ANY_FINITE},
        smoothness=lambda a: math.inf if a else 2.0,
        least_curvature=lambda a: 0.0 if a else 2.0,
        symmetric=lambda a: a == 0,
        origin=2,
        tails=lambda a: "exponential" if a else "quadratic",
        elicits=lambda a: "exponential mean" if a else "mean",
        efficiency=lambda a: None if a else 1.0,
        noise=lambda a: None if a else "gaussian",
        reference="Varian (1975); Zellner (1986)",
    )
)
def linex(prediction: Scalar, target: Scalar, *, a: ArrayLike = 1.0) -> Float[Array, ""]:
    """Exponential on one side and linear on the other: for a > 0 over-prediction is by far the worse mistake.

    Formula: `2 / a**2 (exp(a r) - a r - 1)`, which is `r**2` at the origin for every a and everywhere at a = 0; half of
    it is Varian's with the scale `1 / a**2`. Where `|a r| < 1` it is r**2 times the series of
    `2 (exp(x) - x - 1) / x**2`, so nothing cancels, and a = 0 is no special case. It elicits
    `-log(E[exp(-a y)]) / a`, which for Gaussian targets is the mean less `a variance / 2`.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        a: asymmetry in the inverse of the unit of the target, any finite number; negative: under-prediction is worse.

    Source: Varian (1975), Studies in Bayesian Econometrics and Statistics; Zellner (1986), Journal of the American
        Statistical Association 81.
    """
    r = residual(prediction, target)
    return _linex(r, like(a, r))


def _power_tails(p: float) -> Growth:
    named: dict[float, Growth] = {1.0: "linear", 2.0: "quadratic"}
    return named.get(p, "power")


def _power_curvature(r: Array, p: Array) -> Array:
    # No product: at p = 1 the power is infinite at 0.
    flat = p == 1
    return jnp.where(flat, 0.0, p * (p - 1) * jnp.power(jnp.abs(r), jnp.where(flat, 1.0, p - 2)))


def _power_kinks(p: Any) -> tuple[float, ...]:
    """Of a power that may be 1, as a traced one may, a perfect fit."""
    return (0.0,) if isinstance(p, jax.core.Tracer) or p == 1 else ()


@differentiated_by(_power_curvature)
def _power_slope(r: Array, p: Array) -> Array:
    return sided(r, -1.0, 1.0) * (p * jnp.power(jnp.abs(r), p - 1))


@differentiated_by(_power_slope)
def _power(r: Array, p: Array) -> Array:
    return jnp.power(jnp.abs(r), p)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"|r|^p",
        hyperparameters={"p": FROM_ONE},
        kinks=_power_kinks,
        lipschitz=lambda p: 1.0 if p == 1 else math.inf,
        smoothness=lambda p: 2.0 if p == 2 else math.inf,
        least_curvature=lambda p: 2.0 if p == 2 else 0.0,
        origin=lambda p: float(p),
        tails=_power_tails,
        elicits=lambda p: {1.0: "median", 2.0: "mean"}.get(p),
        efficiency=lambda p: 2 / math.sqrt(math.pi) * math.exp(2 * math.lgamma((p + 1) / 2) - math.lgamma(p - 0.5)),
        noise="exponential power",
        reference="Subbotin (1923)",
    )
)
def power_error(prediction: Scalar, target: Scalar, *, p: ArrayLike = 1.5) -> Float[Array, ""]:
    """A power of the residual's size, between the absolute error (p = 1) and the squared (p = 2), or beyond.

    Formula: `|r|**p`. The slope is `p |r|**(p-1)` with the sign of r, and 0 at r = 0, for p = 1 too; the curvature at
    r = 0 is infinite for 1 < p < 2.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its p-th power.
        p: in [1, inf).

    Source: Subbotin (1923), Matematicheskii Sbornik 31.
    """
    r = residual(prediction, target)
    return _power(r, like(p, r))
