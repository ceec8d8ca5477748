"""Proper scores of a predicted distribution in the unit of the target: ranked probability and interval scores.

The continuous ranked probability score is the integral of `(F(x) - 1(x >= y))**2`; of a point, the absolute error.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ._arguments import Scalar, sided, Vector
from ._card import LossCard
from ._elementary import sech_squared, tanh
from ._location_scale import located, over_scale, standardised, with_derivatives
from ._register import register


_TOP = 2 / math.sqrt(2 * math.pi)
_MEAN_DIFFERENCE = 1 / math.sqrt(math.pi)


def _bell(z: Array) -> Array:
    """Twice the standard normal density."""
    return _TOP * jnp.exp(-z * z / 2)


def _moment(z: Array, power: int, bell: Array) -> Array:
    """z**power times a bell that falls faster than any power, 0 at infinity."""
    return jnp.where(bell == 0, 0.0, z) ** power * bell


def _of_gaussian(r: Array, t: Array) -> Array:
    return jax.lax.erf(standardised(r, t) / math.sqrt(2))


@with_derivatives(
    (_of_gaussian, lambda r, t: jnp.exp(t) * (_bell(standardised(r, t)) - _MEAN_DIFFERENCE)),
    (
        lambda r, t: over_scale(_bell(standardised(r, t)), t),
        lambda r, t: -_moment(standardised(r, t), 1, _bell(standardised(r, t))),
        lambda r, t: (
            jnp.exp(t)
            * (_bell(standardised(r, t)) + _moment(standardised(r, t), 2, _bell(standardised(r, t))) - _MEAN_DIFFERENCE)
        ),
    ),
)
def _crps_gaussian(r: Array, t: Array) -> Array:
    """r erf(z / sqrt(2)) + s (2 phi(z) - 1 / sqrt(pi)): the first part takes over before the second turns negative."""
    z = standardised(r, t)
    return r * _of_gaussian(r, t) + jnp.exp(t) * (_TOP - _MEAN_DIFFERENCE + _TOP * jnp.expm1(-z * z / 2))


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"r\,(2\Phi(z) - 1) + e^t \left(2\varphi(z) - \pi^{-1/2}\right)",
        least_curvature=-math.inf,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="location and log scale of a gaussian law",
        proper=True,
        reference="Gneiting and Raftery (2007)",
    )
)
def crps_gaussian(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """Continuous ranked probability score of a Gaussian: as `gaussian_nll`, but in the unit of the target and robust.

    Formula: `r (2 Phi(z) - 1) + s (2 phi(z) - 1/sqrt(pi))` with `z = r / s` and `s = exp(t)`. The slope in the mean is
    `erf(z / sqrt(2))`, so no outlier pulls the mean with more than 1. At r = 0 it is 0.2337 s, in the tails
    `|r| - 0.5642 s`; it is 0 for a certain prediction that is right.

    Args:
        prediction: (2,): the mean in the unit of the target, which is also the loss's, and the log standard deviation.
        target: a real number.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Gneiting and Raftery (2007), Journal of the American Statistical Association 102, equation (21).
    """
    return _crps_gaussian(*located(prediction, target))


def _distance(z: Array) -> Array:
    return z * sided(z, -1.0, 1.0)


def _decay(r: Array, t: Array) -> tuple[Array, Array]:
    """|z| and exp(-|z|)."""
    size = standardised(_distance(r), t)
    return size, jnp.exp(-size)


def _laplace_by_scale(r: Array, t: Array) -> Array:
    size, decay = _decay(r, t)
    return jnp.exp(t) * (decay + _moment(size, 1, decay) - 0.75)


def _laplace_by_scales(r: Array, t: Array) -> Array:
    size, decay = _decay(r, t)
    return jnp.exp(t) * (decay + _moment(size, 1, decay) + _moment(size, 2, decay) - 0.75)


@with_derivatives(
    (lambda r, t: -sided(r, -1.0, 1.0) * jnp.expm1(-_decay(r, t)[0]), _laplace_by_scale),
    (
        lambda r, t: over_scale(_decay(r, t)[1], t),
        lambda r, t: -sided(r, -1.0, 1.0) * _moment(_decay(r, t)[0], 1, _decay(r, t)[1]),
        _laplace_by_scales,
    ),
)
def _crps_laplace(r: Array, t: Array) -> Array:
    return _distance(r) + jnp.exp(t) * (_decay(r, t)[1] - 0.75)


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"|r| + e^t \left(e^{-|z|} - \tfrac34\right)",
        least_curvature=-math.inf,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="location and log scale of a laplace law",
        proper=True,
        reference="Jordan, Krüger and Lerch (2019)",
    )
)
def crps_laplace(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """Continuous ranked probability score of a Laplace law, in the unit of the target.

    Formula: `|r| + s (exp(-|z|) - 3/4)` with `z = r / s` and `s = exp(t)`. Unlike `laplace_nll` it has no kink: the
    slope in the location is `sign(r) (1 - exp(-|z|))`. At r = 0 it is s/4.

    Args:
        prediction: (2,): the median in the unit of the target, which is also the loss's, and the log of the scale.
        target: a real number.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Jordan, Krüger and Lerch (2019), Journal of Statistical Software 90, appendix A.
    """
    return _crps_laplace(*located(prediction, target))


def _logistic_by_scale(r: Array, t: Array) -> Array:
    size, decay = _decay(r, t)
    return jnp.exp(t) * (2 * jnp.log1p(decay) + 2 * _moment(size, 1, decay) / (1 + decay) - 1)


def _logistic_by_scales(r: Array, t: Array) -> Array:
    size, decay = _decay(r, t)
    bend = 2 * _moment(size, 2, decay) / (1 + decay) ** 2
    return jnp.exp(t) * (2 * jnp.log1p(decay) + 2 * _moment(size, 1, decay) / (1 + decay) + bend - 1)


def _logistic_by_both(r: Array, t: Array) -> Array:
    size, decay = _decay(r, t)
    return -sided(r, -1.0, 1.0) * (2 * _moment(size, 1, decay) / (1 + decay) ** 2)


@with_derivatives(
    (lambda r, t: tanh(standardised(r, t) / 2), _logistic_by_scale),
    (
        lambda r, t: over_scale(sech_squared(standardised(r, t) / 2) / 2, t),
        _logistic_by_both,
        _logistic_by_scales,
    ),
)
def _crps_logistic(r: Array, t: Array) -> Array:
    return _distance(r) + jnp.exp(t) * (2 * jnp.log1p(_decay(r, t)[1]) - 1)


@register(
    LossCard(
        task="distribution",
        prediction="location and log scale",
        target="real",
        formula=r"|r| + e^t \left(2\log(1 + e^{-|z|}) - 1\right)",
        least_curvature=-math.inf,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="location and log scale of a logistic law",
        proper=True,
        reference="Jordan, Krüger and Lerch (2019)",
    )
)
def crps_logistic(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """Continuous ranked probability score of a logistic law, in the unit of the target.

    Formula: `|r| + s (2 log(1 + exp(-|z|)) - 1)` with `z = r / s` and `s = exp(t)`, which is `2 s log cosh(z/2)` and
    `(2 log 2 - 1) s`. The slope in the location is `tanh(z/2)`.

    Args:
        prediction: (2,): the location in the unit of the target, which is also the loss's, and the log of the scale.
        target: a real number.

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Jordan, Krüger and Lerch (2019), Journal of Statistical Software 90, appendix A.
    """
    return _crps_logistic(*located(prediction, target))
