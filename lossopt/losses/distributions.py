"""Negative log likelihoods of a location and a log scale: the prediction is a vector (location, log scale).

With r = location - target, t the log scale and z = r exp(-t), each is t + g(z) with g(0) = 0; `full=True` adds the
constant that makes exp(-loss) a density. They may be negative, and none is convex in both arguments together.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, Scalar, sided, times, Vector
from ._card import LossCard, POSITIVE, register, UNIT
from ._elementary import hypotenuse, log1p_square, log_cosh, relative_expm1, sech_squared, tanh
from ._location_scale import constant, located, over_scale, standardised, with_derivatives


@with_derivatives(
    (lambda r, t: over_scale(standardised(r, t), t), lambda r, t: (1 - standardised(r, t)) * (1 + standardised(r, t))),
    (
        lambda r, t: jnp.exp(-2 * t),
        lambda r, t: -2 * over_scale(standardised(r, t), t),
        lambda r, t: 2 * standardised(r, t) ** 2,
    ),
)
def _gaussian(r: Array, t: Array) -> Array:
    return t + standardised(r, t) ** 2 / 2


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"t + \tfrac12 r^2 e^{-2t}",
        hyperparameters={"full": UNIT},
        least_curvature=-math.inf,
        non_negative=False,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="mean and log standard deviation",
        proper=True,
        noise="gaussian",
        reference="Nix and Weigend (1994)",
    )
)
def gaussian_nll(prediction: Vector, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Negative log likelihood of a Gaussian whose mean and log standard deviation are both predicted.

    Formula: `t + r**2 exp(-2 t) / 2`; dropped is `log(2 pi) / 2`, which `full=True` adds. PyTorch's `GaussianNLLLoss`
    is the same with the variance as its argument, clipped from below; here the scale is never clipped.

    Args:
        prediction: (2,): the mean in the unit of the target, and the log of the standard deviation.
        target: a real number. The loss is in nats.
        full: whether to add the constant.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Nix and Weigend (1994), IEEE International Conference on Neural Networks, equation (4).
    """
    return constant(full, math.log(2 * math.pi) / 2, _gaussian(*located(prediction, target)))


def _distance(r: Array) -> Array:
    return r * sided(r, -1.0, 1.0)


@with_derivatives(
    (lambda r, t: over_scale(sided(r, -1.0, 1.0), t), lambda r, t: 1 - standardised(_distance(r), t)),
    (
        lambda r, t: 0 * r,
        lambda r, t: -over_scale(sided(r, -1.0, 1.0), t),
        lambda r, t: standardised(_distance(r), t),
    ),
)
def _laplace(r: Array, t: Array) -> Array:
    return t + standardised(_distance(r), t)


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"t + |r| e^{-t}",
        hyperparameters={"full": UNIT},
        kinks=(0.0,),
        least_curvature=-math.inf,
        non_negative=False,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="median and log mean deviation",
        proper=True,
        noise="laplace",
        reference="Laplace (1774)",
    )
)
def laplace_nll(prediction: Vector, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Negative log likelihood of a Laplace law whose median and log scale are both predicted.

    Formula: `t + |r| exp(-t)`; dropped is `log 2`, which `full=True` adds. The best constant is the median and the
    log of the mean absolute deviation from it. The sub-gradient chosen at r = 0 is 0 in the location.

    Args:
        prediction: (2,): the median in the unit of the target, and the log of the mean absolute deviation.
        target: a real number. The loss is in nats.
        full: whether to add the constant.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Laplace (1774), Mémoires de l'Académie Royale des Sciences 6 (his first law of error).
    """
    return constant(full, math.log(2), _laplace(*located(prediction, target)))


def _logistic_root(r: Array, t: Array) -> Array:
    """sech(z/2) / scale."""
    return over_scale(jnp.sqrt(sech_squared(standardised(r, t) / 2)), t)


def _half_bell(z: Array) -> Array:
    """z sech(z/2)**2 / 2, 0 at infinity."""
    bell = sech_squared(z / 2)
    return jnp.where(bell == 0, 0.0, z) * (bell / 2)


def _logistic_by_scale(r: Array, t: Array) -> Array:
    z = standardised(r, t)
    return 1 - z * tanh(z / 2)


@with_derivatives(
    (lambda r, t: over_scale(tanh(standardised(r, t) / 2), t), _logistic_by_scale),
    (
        lambda r, t: _logistic_root(r, t) ** 2 / 2,
        lambda r, t: -over_scale(tanh(standardised(r, t) / 2) + _half_bell(standardised(r, t)), t),
        lambda r, t: times(standardised(r, t), tanh(standardised(r, t) / 2) + _half_bell(standardised(r, t))),
    ),
)
def _logistic(r: Array, t: Array) -> Array:
    return t + 2 * log_cosh(standardised(r, t) / 2)


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"t + 2 \log\cosh\left(\tfrac{1}{2} r e^{-t}\right)",
        hyperparameters={"full": UNIT},
        least_curvature=-math.inf,
        non_negative=False,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="location and log scale of a logistic law",
        proper=True,
        noise="logistic",
        reference="Verhulst (1845)",
    )
)
def logistic_nll(prediction: Vector, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Negative log likelihood of a logistic law whose location and log scale are both predicted.

    Formula: `t + 2 log cosh(z / 2)` with `z = r exp(-t)`; dropped is `log 4`, which `full=True` adds. Its tails are
    those of the Laplace law and its bowl that of a Gaussian. The scale is not the standard deviation, which is
    `pi / sqrt(3)` times as large. For a target in
    {0, 1} use `logistic`.

    Args:
        prediction: (2,): the location in the unit of the target, and the log of the scale.
        target: a real number. The loss is in nats.
        full: whether to add the constant.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Verhulst (1845), Nouveaux Mémoires de l'Académie Royale des Sciences de Bruxelles 18.
    """
    return constant(full, math.log(4), _logistic(*located(prediction, target)))


def _student_parts(r: Array, t: Array, inverse: Array) -> tuple[Array, Array, Array, Array]:
    """z, v = z / sqrt(df), h = sqrt(1 + v**2) and z / h, which no overflow of z**2 touches."""
    z = standardised(r, t)
    v = times(jnp.sqrt(inverse), z)
    h = hypotenuse(v)
    endless = jnp.isinf(h)
    bounded = jnp.sign(z) / jnp.sqrt(jnp.where(endless, inverse, 1.0))
    return z, v, h, jnp.where(endless, bounded, z / jnp.where(endless, 1.0, h))


def _student_by_location(r: Array, t: Array, inverse: Array) -> Array:
    _, _, h, share = _student_parts(r, t, inverse)
    return (1 + inverse) * over_scale(share / h, t)


def _student_by_scale(r: Array, t: Array, inverse: Array) -> Array:
    """(1 - z**2) / (1 + z**2 / df)."""
    z, _, h, share = _student_parts(r, t, inverse)
    near = jnp.abs(z) < 2
    at = jnp.where(near, z, 0.0)
    return jnp.where(near, (1 - at) * (1 + at) / h / h, (1 / h - share) * (1 / h + share))


def _student_by_locations(r: Array, t: Array, inverse: Array) -> Array:
    _, v, h, _ = _student_parts(r, t, inverse)
    near = jnp.abs(v) < 2
    at = jnp.where(near, v, 0.0)
    ratio = jnp.where(near, (1 - at) * (1 + at) / h / h, 2 / h / h - 1)
    root = jnp.exp(-t) / h
    return (1 + inverse) * ratio * (root * root)


def _student_by_both(r: Array, t: Array, inverse: Array) -> Array:
    _, _, h, share = _student_parts(r, t, inverse)
    return -2 * (1 + inverse) * times(share / h, jnp.exp(-t) / h) / h


def _student_by_scales(r: Array, t: Array, inverse: Array) -> Array:
    _, _, h, share = _student_parts(r, t, inverse)
    return 2 * (1 + inverse) * (share / h) ** 2


@with_derivatives(
    (_student_by_location, _student_by_scale), (_student_by_locations, _student_by_both, _student_by_scales)
)
def _student(r: Array, t: Array, inverse: Array) -> Array:
    """(df + 1)/2 log(1 + z**2/df); below v = 1 as (1 + 1/df)/2 z**2 w / expm1(w) with w = log1p(v**2)."""
    z, v, _, _ = _student_parts(r, t, inverse)
    near = jnp.abs(v) < 1
    at, w = jnp.where(near, z, 0.0), jnp.log1p(jnp.where(near, v, 0.0) ** 2)
    close = (1 + inverse) / 2 * at * at / relative_expm1(w)
    far = (1 + 1 / jnp.where(near, 1.0, inverse)) / 2 * log1p_square(jnp.where(near, 1.0, v))
    return t + jnp.where(near, close, far)


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
