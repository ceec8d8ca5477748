"""Robust losses with a dial for their shape: between the squared error and losses that ignore an outlier."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, residual, Scalar
from ._card import LossCard
from ._elementary import beyond, differentiated_by, hypotenuse, log1p_square, relative_expm1, unit_slope
from ._kinds import ANY, Growth, POSITIVE, POSITIVE_FINITE
from ._register import register
from .regression import PSEUDO_HUBER_95
from .robust import CAUCHY_95, GEMAN_MCCLURE_95, WELSCH_95


def _student_noise(df: float, scale: float) -> str | None:
    # With df scale**2 - 1 degrees of freedom: for less, exp(-loss) has no finite integral.
    if math.isinf(df):
        return "gaussian"
    return "student t" if df * scale * scale > 1 else None


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{\nu\sigma^2}{2} \log\left(1 + \tfrac{r^2}{\nu\sigma^2}\right)",
        hyperparameters={"df": POSITIVE, "scale": POSITIVE_FINITE},
        lipschitz=lambda df, scale: scale * math.sqrt(df) / 2,
        smoothness=1.0,
        least_curvature=lambda df: 1.0 if math.isinf(df) else -1 / 8,
        redescending=lambda df: not math.isinf(df),
        origin=2,
        tails=lambda df: "quadratic" if math.isinf(df) else "logarithmic",
        elicits=lambda df: "mean" if math.isinf(df) else None,
        efficiency=lambda df, scale: 1.0 if math.isinf(df) else 0.95 if (df, scale) == (4, CAUCHY_95 / 2) else None,
        noise=_student_noise,
        reference="Lange, Little and Taylor (1989)",
    )
)
def student_t(
    prediction: Scalar, target: Scalar, *, df: ArrayLike = 4.0, scale: ArrayLike = CAUCHY_95 / 2
) -> Float[Array, ""]:
    """The shape of minus the log density of Student's t: logarithmic in the tails, heavier the fewer the degrees.

    Formula: `df scale**2 / 2 log(1 + r**2 / (df scale**2))`, which is `r**2 / 2` at the origin: minus the log density
    of t with df degrees of freedom and this scale is `(df + 1) / (df scale**2)` times it, and a constant. That factor
    is 1, so that the loss is a log likelihood itself, where `scale**2 = (df + 1) / df`. The same function as `cauchy`
    at `c = scale sqrt(df)`; df = inf is half the squared error. For a scale that is fitted, use student_t_nll.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        df: degrees of freedom, in (0, inf].
        scale: in the unit of the target, in (0, inf); the default, 1.1925, has 95 % efficiency at 4 degrees.

    Source: Lange, Little and Taylor (1989), Journal of the American Statistical Association 84, section 2.
    """
    r = residual(prediction, target)
    df, scale = like(df, r), like(scale, r)
    light = jnp.isinf(df)
    c = scale * jnp.sqrt(jnp.where(light, 1.0, df))
    square, heavy = jnp.where(light, r, 0.0), jnp.where(light, 0.0, r)
    return 0.5 * (square * square) + 0.5 * c * (c * log1p_square(heavy / c))


# alpha -> the c of 95 % efficiency: those of the losses that are its cases, in their units of scale.
GENERAL_95 = {
    1.0: PSEUDO_HUBER_95,
    0.0: CAUCHY_95 / math.sqrt(2),
    -2.0: GEMAN_MCCLURE_95 / 2,
    -math.inf: WELSCH_95 / math.sqrt(2),
}


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
        efficiency=lambda alpha, c: 1.0 if alpha == 2 else 0.95 if GENERAL_95.get(alpha) == c else None,
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
    `GENERAL_95` has the c of 95 % efficiency at Gaussian noise of unit standard deviation for the named cases.

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
    regular = (b > 0) & (b < 1 / float(jnp.finfo(u.dtype).eps) ** 2)
    safe = jnp.where(regular, b, 1.0)
    sign = jnp.where(alpha > 2, 1.0, -1.0).astype(u.dtype)
    return _Shape(u / jnp.sqrt(safe), safe, jnp.where(regular, alpha, 1.0), regular, b == 0, sign)


def _power(v: Array, exponent: Array) -> Array:
    """(1 + v**2) ** exponent."""
    size, near, far = jnp.abs(v), jnp.abs(v) < 1, beyond(v)
    by_log = jnp.exp(exponent * jnp.log1p(jnp.where(near, v, 0.0) ** 2))
    base = jnp.where(near, 1.0, jnp.where(far, size, 1 + jnp.where(far, 0.0, v) ** 2))
    return jnp.where(near, by_log, jnp.power(base, jnp.where(far, 2 * exponent, exponent)))


def _lowered(v: Array, alpha: Array, step: int) -> Array:
    """(1 + v**2) ** ((alpha - step) / 2); near alpha = 0 by a division, as the difference would drop alpha's digits."""
    split, largest = jnp.abs(alpha) < 0.5, jnp.finfo(v.dtype).max
    v = jnp.where(split, jnp.clip(v, -largest, largest), v)
    power = _power(v, jnp.where(split, alpha, alpha - step) / 2)
    return power / jnp.where(split, hypotenuse(v) ** step, 1.0)


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
    return jnp.where(at.regular, _lowered(at.v, at.alpha, 2) * ratio, jnp.where(at.flat, 1.0, limit))


@differentiated_by(_barron_curvature)
def _barron_slope(u: Array, alpha: Array) -> Array:
    """u (1 + v**2) ** (alpha/2 - 1), in factors of which none underflows before the slope does."""
    at = _prepared(u, alpha)
    slope = jnp.sqrt(at.b) * unit_slope(at.v) * _lowered(at.v, at.alpha, 1)
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
