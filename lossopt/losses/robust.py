"""Robust losses beyond Huber: the pull of an outlier vanishes as it moves away. None is convex, unless said.

Each is `r**2 / 2` at the origin (general_robust: `r**2 / (2 c**2)`), with c in the unit of the target. The
default c gives 95 % efficiency at Gaussian noise of unit standard deviation.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, residual, Scalar
from ._card import ANY, Growth, LossCard, POSITIVE_FINITE, register
from ._elementary import beyond, biweight, differentiated_by, log1p_square, relative_expm1, unit_slope


CAUCHY_95, TUKEY_95 = 2.3849471194, 4.6850649485


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{c^2}{2} \log(1 + (r/c)^2)",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: c / 2,
        smoothness=1.0,
        least_curvature=-1 / 8,
        redescending=True,
        origin=2,
        tails="logarithmic",
        efficiency=lambda c: 0.95 if c == CAUCHY_95 else None,
        # With c**2 - 1 degrees of freedom: for smaller c, exp(-loss) has no finite integral.
        noise=lambda c: "student t" if c > 1 else None,
        reference="Black and Anandan (1996)",
    )
)
def cauchy(prediction: Scalar, target: Scalar, *, c: ArrayLike = CAUCHY_95) -> Float[Array, ""]:
    """Logarithmic in the tails: the pull peaks at `|r| = c` and then falls like 1/r. Also called Lorentzian.

    Formula: `c**2 / 2 log(1 + (r/c)**2)`, as `c**2 log|r/c|` where the square would overflow. SciPy's
    `least_squares(loss="cauchy", f_scale=c)` minimises the same function.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf).

    Source: Black and Anandan (1996), Computer Vision and Image Understanding 63, table 1.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return 0.5 * c * (c * log1p_square(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{c^2}{6}\left(1 - (1 - (r/c)^2)^3\right) \text{ if } |r| \le c, \text{ else } \tfrac{c^2}{6}",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: 16 * c / (25 * math.sqrt(5)),
        smoothness=1.0,
        least_curvature=-0.8,
        supremum=lambda c: c * c / 6,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == TUKEY_95 else None,
        reference="Beaton and Tukey (1974)",
    )
)
def tukey(prediction: Scalar, target: Scalar, *, c: ArrayLike = TUKEY_95) -> Float[Array, ""]:
    """The biweight: beyond `c` an example has no pull at all.

    Formula: `c**2 / 6 (1 - (1 - (r/c)**2)**3)` inside, `c**2 / 6` outside; computed from
    `g = (1 - r/c)(1 + r/c)` as `(r/c)**2 (1 + g + g**2)`, so that neither end cancels. statsmodels'
    `TukeyBiweight` and R's `psi.bisquare` have the same factor.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: rejection point in the unit of the target, in (0, inf).

    Source: Beaton and Tukey (1974), Technometrics 16, section 5.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return c / 6 * (c * biweight(r / c))


def _shape(alpha: float) -> float:
    return abs(alpha - 2)


def _general_lipschitz(alpha: float, c: float) -> float:
    if alpha > 1:
        return math.inf
    if alpha == 1:
        return 1 / c
    if math.isinf(alpha):
        return math.exp(-0.5) / c
    return math.sqrt(_shape(alpha) / (1 - alpha)) * ((2 - alpha) / (1 - alpha)) ** ((alpha - 2) / 2) / c


def _general_least_curvature(alpha: float, c: float) -> float:
    if alpha >= 2:
        return 1 / c**2
    if alpha >= 1:
        return 0.0
    peak = math.exp(-1.5) if math.isinf(alpha) else ((4 - alpha) / (1 - alpha)) ** ((alpha - 4) / 2)
    return -2 * peak / c**2


def _general_tails(alpha: float) -> Growth:
    named: dict[float, Growth] = {0.0: "logarithmic", 1.0: "linear", 2.0: "quadratic", math.inf: "exponential"}
    return named.get(alpha, "constant" if alpha < 0 else "power")


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{|\alpha-2|}{\alpha}\left(\left(\tfrac{(r/c)^2}{|\alpha-2|} + 1\right)^{\alpha/2} - 1\right)",
        hyperparameters={"alpha": ANY, "c": POSITIVE_FINITE},
        lipschitz=_general_lipschitz,
        smoothness=lambda alpha, c: 1 / c**2 if alpha <= 2 else math.inf,
        least_curvature=_general_least_curvature,
        supremum=lambda alpha: math.inf if alpha >= 0 else 1.0 if math.isinf(alpha) else (alpha - 2) / alpha,
        redescending=lambda alpha: alpha < 1,
        origin=2,
        tails=_general_tails,
        elicits=lambda alpha: "mean" if alpha == 2 else None,
        noise=lambda alpha: "gaussian" if alpha == 2 else None,
        reference="Barron (2019)",
    )
)
def general_robust(
    prediction: Scalar, target: Scalar, *, alpha: ArrayLike = 1.0, c: ArrayLike = 1.0
) -> Float[Array, ""]:
    """One family with a dial: alpha 2 is squared, 1 Charbonnier, 0 Cauchy, -2 Geman-McClure, -inf Welsch.

    Formula: `b/alpha ((u**2/b + 1)**(alpha/2) - 1)` with `u = r/c`, `b = |alpha - 2|`, and its limits at
    alpha = 0, 2 and ±inf; it is `u**2 / 2` at the origin, so jonbarron's `robust_loss` has the same factor.
    Convex where alpha >= 1.

    With `v = u / sqrt(b)`, value, slope and curvature are powers of `1 + v**2`; below v = 1 these are exponentials of
    log1p, beyond it true powers, as the exponential of a large logarithm loses digits. At b = 0 and b = inf the
    limits are taken. The derivative with respect to alpha is infinite at alpha = 2 in theory, and 0 is returned there.

    Args:
        prediction, target: real numbers in the unit of the target; the loss has no unit.
        alpha: shape, any number, ±inf included.
        c: scale in the unit of the target, in (0, inf).

    Source: Barron (2019), CVPR, equations (1) to (8).
    """
    r = residual(prediction, target)
    return _barron(r / like(c, r), like(alpha, r))


class _Shape(NamedTuple):
    """u and alpha prepared: b and alpha are harmless numbers where the limit b = 0 or b = inf is to be taken."""

    v: Array
    b: Array
    alpha: Array
    regular: Array
    flat: Array
    sign: Array


def _prepared(u: Array, alpha: Array) -> _Shape:
    b = jnp.abs(alpha - 2)
    # Beyond 1/eps**2, b log1p(u**2 / b) is u**2 wherever its exponential is a number.
    regular = (b > 0) & (b < 1 / jnp.finfo(u.dtype).eps ** 2)
    safe = jnp.where(regular, b, 1.0)
    sign = jnp.where(alpha > 2, 1.0, -1.0).astype(u.dtype)
    return _Shape(u / jnp.sqrt(safe), safe, jnp.where(regular, alpha, 1.0), regular, b == 0, sign)


def _power(v: Array, exponent: Array) -> Array:
    """(1 + v**2) ** exponent."""
    size, near, far = jnp.abs(v), jnp.abs(v) < 1, beyond(v)
    by_log = jnp.exp(exponent * jnp.log1p(jnp.where(near, v, 0.0) ** 2))
    base = jnp.where(near, 1.0, jnp.where(far, size, 1 + jnp.where(far, 0.0, v) ** 2))
    return jnp.where(near, by_log, jnp.power(base, jnp.where(far, 2 * exponent, exponent)))


def _bell(u: Array, sign: Array) -> Array:
    return jnp.exp(sign * (u * u) / 2)


def _barron_curvature(u: Array, alpha: Array) -> Array:
    """(1 + v**2) ** (alpha/2 - 2) (1 + (alpha - 1) v**2)."""
    at = _prepared(u, alpha)
    far = beyond(at.v)
    near = jnp.where(far, 0.0, at.v)
    inverse = jnp.where(far, 1 / jnp.where(far, at.v, 1.0), 0.0)
    ratio = jnp.where(far, at.alpha - 1 + inverse**2, (1 + (at.alpha - 1) * near**2) / (1 + near**2))
    bell = _bell(u, at.sign)
    limit = jnp.where(bell == 0, 0.0, bell * (1 + at.sign * jnp.where(bell == 0, 0.0, u) ** 2))
    return jnp.where(at.regular, _power(at.v, at.alpha / 2 - 1) * ratio, jnp.where(at.flat, 1.0, limit))


@differentiated_by(_barron_curvature)
def _barron_slope(u: Array, alpha: Array) -> Array:
    """u (1 + v**2) ** (alpha/2 - 1), in factors of which none underflows before the slope does."""
    at = _prepared(u, alpha)
    slope = jnp.sqrt(at.b) * unit_slope(at.v) * _power(at.v, (at.alpha - 1) / 2)
    bell = _bell(u, at.sign)
    limit = jnp.where(bell == 0, 0.0, u) * bell
    return jnp.where(at.regular, slope, jnp.where(at.flat, u, limit))


@differentiated_by(_barron_slope)
def _barron(u: Array, alpha: Array) -> Array:
    """b/alpha ((1 + v**2) ** (alpha/2) - 1); where that power is near 1, b/2 log1p(v**2) expm1(x)/x."""
    at = _prepared(u, alpha)
    logarithm = log1p_square(at.v)
    # At u = inf only: elsewhere the derivative in alpha = 0 needs the logarithm.
    x = at.alpha / 2 * jnp.where(jnp.isinf(logarithm) & (at.alpha == 0), 0.0, logarithm)
    near = ~(jnp.abs(x) >= 1)  # NaN is near: a power of 0 would make it 1.
    close = at.b / 2 * logarithm * relative_expm1(jnp.where(near, x, 0.0))
    # Its root squared, as b times the power would overflow too soon.
    root = jnp.sqrt(at.b) * _power(at.v, at.alpha / 4)
    apart = (root * root - at.b) / jnp.where(near, 1.0, at.alpha)
    limit = jnp.where(at.flat, u * (u / 2), at.sign * jnp.expm1(at.sign * (u * u) / 2))
    return jnp.where(at.regular, jnp.where(near, close, apart), limit)
