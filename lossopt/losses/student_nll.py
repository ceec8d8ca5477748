"""Negative log likelihood of a Student t law, of which location and log scale are predicted; see distributions."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, Scalar, times, Vector
from ._card import LossCard
from ._elementary import hypotenuse, log1p_square, relative_expm1
from ._kinds import POSITIVE, UNIT
from ._location_scale import constant, located, over_scale, standardised, with_derivatives
from ._register import register


def _student_parts(r: Array, t: Array, inverse: Array) -> tuple[Array, Array, Array, Array]:
    """z, v = z / sqrt(df), h = sqrt(1 + v**2) and z / h, which no overflow of z**2 touches."""
    z = standardised(r, t)
    v = times(jnp.sqrt(inverse), z)
    h = hypotenuse(v)
    endless = jnp.isinf(h)
    bounded = jnp.sign(z) / jnp.sqrt(jnp.where(endless, inverse, 1.0))
    return z, v, h, jnp.where(endless, bounded, z / jnp.where(endless, 1.0, h))


def _student_by_location(r: Array, t: Array, inverse: Array) -> Array:
    """(1 + 1/df) z / (1 + z**2/df) / scale, beyond z = 1 divided through by z."""
    z = standardised(r, t)
    far = jnp.abs(z) > 1
    near, reciprocal = jnp.where(far, 0.0, z), 1 / jnp.where(far, z, 1.0)
    weight = jnp.where(far, 1 / (reciprocal + times(inverse, z)), near / (1 + inverse * near * near))
    return (1 + inverse) * over_scale(weight, t)


def _student_by_scale(r: Array, t: Array, inverse: Array) -> Array:
    """(1 - z**2) / (1 + z**2/df), beyond z = 1 divided through by z**2."""
    z = standardised(r, t)
    far = jnp.abs(z) > 1
    near, reciprocal = jnp.where(far, 0.0, z), 1 / jnp.where(far, z, 1.0)
    outer = (reciprocal - 1) * (reciprocal + 1) / (reciprocal * reciprocal + inverse)
    return jnp.where(far, outer, (1 - near) * (1 + near) / (1 + inverse * near * near))


def _student_root(r: Array, t: Array, inverse: Array, h: Array) -> Array:
    """1 / (h scale), also where both overflow: there h is |r| / scale / sqrt(df)."""
    rate, endless = jnp.exp(-t), jnp.isinf(h)
    outer = 1 / jnp.where(endless, jnp.abs(r) * jnp.sqrt(inverse), 1.0)
    near = jnp.where(endless, 1.0, h)
    return jnp.where(endless, outer, jnp.where(jnp.isinf(rate), over_scale(1 / near, t), rate / near))


def _student_by_locations(r: Array, t: Array, inverse: Array) -> Array:
    _, v, h, _ = _student_parts(r, t, inverse)
    near = jnp.abs(v) < 2
    at = jnp.where(near, v, 0.0)
    ratio = jnp.where(near, (1 - at) * (1 + at) / h / h, 2 / h / h - 1)
    root = _student_root(r, t, inverse, h)
    return (1 + inverse) * ratio * (root * root)


def _student_by_both(r: Array, t: Array, inverse: Array) -> Array:
    _, _, h, share = _student_parts(r, t, inverse)
    return -2 * (1 + inverse) * times(share / h, _student_root(r, t, inverse, h)) / h


def _student_by_scales(r: Array, t: Array, inverse: Array) -> Array:
    _, _, h, share = _student_parts(r, t, inverse)
    return 2 * (1 + inverse) * (share / h) ** 2


@with_derivatives(
    (_student_by_location, _student_by_scale), (_student_by_locations, _student_by_both, _student_by_scales)
)
def _student(r: Array, t: Array, inverse: Array) -> Array:
    """(df + 1)/2 log(1 + z**2/df); below v = 1 as (1 + 1/df)/2 z**2 w / expm1(w) with w = log1p(v**2)."""
    z, v, _, _ = _student_parts(r, t, inverse)
    near, endless = jnp.abs(v) < 1, jnp.isinf(v)
    at = jnp.where(near, z, 0.0)
    # Not of v, whose derivative at df = inf is infinite.
    w = jnp.log1p(times(times(inverse, at), at))
    close = (1 + inverse) / 2 * at * at / relative_expm1(w)
    tail, middle = jnp.where(near, 1.0, inverse), jnp.where(near | endless, 1.0, z)
    outermost = 2 * (jnp.log(jnp.where(endless, jnp.abs(r), 1.0)) - t) + jnp.log(tail)
    logarithm = jnp.where(endless, outermost, log1p_square(jnp.sqrt(tail) * middle))
    return t + jnp.where(near, close, (1 + 1 / tail) / 2 * logarithm)


def _student_constant(inverse: Array) -> Array:
    """log of sqrt(pi df) Gamma(df/2) / Gamma((df + 1)/2), without the Gamma functions, which would round it away.

    By the recurrence of Gamma df is raised by 40, where Stirling's series of the ratio is exact.
    """
    raised = 2 * inverse / (1 + 40 * inverse)
    terms = [31 / 18432, 0, -17 / 14336, 0, 1 / 640, 0, -1 / 192, 0, 1 / 8, 0]
    series = jnp.polyval(jnp.asarray(terms, inverse.dtype), raised)
    steps = jnp.sum(jnp.log1p(inverse / (1 + 2 * inverse * jnp.arange(20, dtype=inverse.dtype))))
    return math.log(2 * math.pi) / 2 - jnp.log1p(40 * inverse) / 2 + steps + series


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"t + \tfrac{\nu + 1}{2} \log\left(1 + r^2 e^{-2t} / \nu\right)",
        hyperparameters={"df": POSITIVE, "full": UNIT},
        least_curvature=-math.inf,
        non_negative=False,
        tails=lambda df: "linear" if math.isfinite(df) else "exponential",
        zero_at_perfect_fit=False,
        elicits=lambda df: (
            "location and log scale of a student t law" if math.isfinite(df) else "mean and log standard deviation"
        ),
        proper=True,
        noise=lambda df: "student t" if math.isfinite(df) else "gaussian",
        reference="Lange, Little and Taylor (1989)",
    )
)
def student_t_nll(
    prediction: Vector, target: Scalar, *, df: ArrayLike = 4.0, full: ArrayLike = False
) -> Float[Array, ""]:
    """Negative log likelihood of a Student t law whose location and log scale are both predicted: outliers pull little.

    Formula: `t + (df + 1)/2 log(1 + z**2 / df)` with `z = r exp(-t)`; at df = inf it is `gaussian_nll`. Dropped is the
    log of `sqrt(pi df) Gamma(df/2) / Gamma((df + 1)/2)`, which `full=True` adds. The slope in the log scale lies
    between -df and 1. The scale is not the standard deviation, which is `sqrt(df / (df - 2))` times as large.

    Args:
        prediction: (2,): the location in the unit of the target, and the log of the scale.
        target: a real number. The loss is in nats.
        df: degrees of freedom, in (0, inf].
        full: whether to add the constant.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Lange, Little and Taylor (1989), Journal of the American Statistical Association 84, section 2.
    """
    r, t = located(prediction, target)
    inverse = 1 / like(df, r)
    return constant(full, _student_constant(inverse), _student(r, t, inverse))
