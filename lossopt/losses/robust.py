"""Robust losses beyond Huber: the pull of an outlier vanishes as it moves away. None is convex, unless said.

Each is `r**2 / 2` at the origin (general_robust: `r**2 / (2 c**2)`), with c in the unit of the target. The
default c gives 95 % efficiency at Gaussian noise of unit standard deviation.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, residual, Scalar
from ._card import ANY, LossCard, POSITIVE_FINITE, register
from ._elementary import biweight, log1p_square


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


def _general_tails(alpha: float) -> str:
    named = {0.0: "logarithmic", 1.0: "linear", 2.0: "quadratic", math.inf: "exponential"}
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

    With `B = b log1p(u**2 / b)`, which is 0 at b = 0 and u**2 at b = inf, the slope in u is `u exp(±B/2)`
    (+ above alpha = 2, - below) without a limit to take; the value follows from B as in `_barron`. The
    derivative with respect to alpha is infinite at alpha = 2 in theory, and 0 is returned there.

    Args:
        prediction, target: real numbers in the unit of the target; the loss has no unit.
        alpha: shape, any number, ±inf included.
        c: scale in the unit of the target, in (0, inf).

    Source: Barron (2019), CVPR, equations (1) to (8).
    """
    r = residual(prediction, target)
    return _barron(r / like(c, r), like(alpha, r))


def _log_term(u: Array, alpha: Array) -> Array:
    """B = b log1p(u**2 / b), from 0 at b = 0 to u**2 at b = inf, where b = |alpha - 2|."""
    b = jnp.abs(alpha - 2)
    regular = (b > 0) & jnp.isfinite(b)
    safe = jnp.where(regular, b, 1.0)
    root = jnp.sqrt(safe)
    return jnp.where(regular, safe * log1p_square(u / root), jnp.where(b == 0, 0.0, u * u))


def _barron_curvature(u: Array, alpha: Array) -> Array:
    # exp(±B/2) (b + (alpha - 1) u**2) / (b + u**2), divided through by b + u**2 and by b as suits.
    b, sign = jnp.abs(alpha - 2), jnp.where(alpha > 2, 1.0, -1.0).astype(u.dtype)
    finite = jnp.isfinite(b)
    safe = jnp.where(finite & (b > 0), b, 1.0)
    v = jnp.where(finite, u / jnp.sqrt(safe), 0.0)
    far = jnp.abs(v) > 1 / jnp.finfo(u.dtype).eps
    near = jnp.where(far, 0.0, v)
    ratio = jnp.where(far, alpha - 1, (1 + jnp.where(finite, alpha - 1, 0.0) * near * near) / (1 + near * near))
    ratio = jnp.where(finite, ratio, 1 + sign * u * u)
    factor = jnp.exp(sign * _log_term(u, alpha) / 2)
    return jnp.where(b == 0, 1.0, jnp.where(factor == 0, 0.0, factor * jnp.where(factor == 0, 0.0, ratio)))


@jax.custom_jvp
def _barron_slope(u: Array, alpha: Array) -> Array:
    sign = jnp.where(alpha > 2, 1.0, -1.0).astype(u.dtype)
    factor = jnp.exp(sign * _log_term(u, alpha) / 2)
    return jnp.where(factor == 0, 0.0, jnp.where(factor == 0, 0.0, u) * factor)


@_barron_slope.defjvp
def _(primals, tangents):
    (u, alpha), (du, dalpha) = primals, tangents
    _, by_alpha = jax.jvp(lambda a: _barron_slope.__wrapped__(u, a), (alpha,), (dalpha,))
    return _barron_slope(u, alpha), _barron_curvature(u, alpha) * du + by_alpha


def _relative_expm1(x: Array) -> Array:
    """expm1(x) / x, 1 at 0."""
    zero = jnp.abs(x) < jnp.finfo(x.dtype).eps
    safe = jnp.where(zero, 1.0, x)
    return jnp.where(zero, 1 + x / 2, jnp.expm1(safe) / safe)


@jax.custom_jvp
def _barron(u: Array, alpha: Array) -> Array:
    """The loss from B: `B/2 expm1(x)/x` with `x = alpha B / (2 b)`, or near alpha = 2, where b = 0,
    `(u**2 exp(±B/2) ± b expm1(±B/2)) / alpha`, the same number without the division."""
    sign = jnp.where(alpha > 2, 1.0, -1.0).astype(u.dtype)
    big_b, b = _log_term(u, alpha), jnp.abs(alpha - 2)
    near_two = b < 1
    slope = jnp.where(jnp.isinf(alpha), sign, alpha / jnp.where(near_two | jnp.isinf(b), 1.0, b))
    apart = big_b / 2 * _relative_expm1(jnp.where(near_two, 0.0, slope * big_b / 2))
    divisor = jnp.where(near_two, alpha, 1.0)
    shift = jnp.where(near_two, b, 0.0) * jnp.expm1(jnp.where(near_two, sign * big_b / 2, 0.0))
    near = (u * _barron_slope(u, alpha) + shift) / divisor
    return jnp.where(near_two, near, apart)


@_barron.defjvp
def _(primals, tangents):
    (u, alpha), (du, dalpha) = primals, tangents
    _, by_alpha = jax.jvp(lambda a: _barron.__wrapped__(u, a), (alpha,), (dalpha,))
    return _barron(u, alpha), _barron_slope(u, alpha) * du + by_alpha
