"""Negative log likelihoods of a location and a log scale: the prediction is a vector (location, log scale).

With r = location - target, t the log scale and z = r exp(-t), each is t + g(z) with g(0) = 0; `full=True` adds the
constant that makes exp(-loss) a density. They may be negative, and none is convex in both arguments together.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import Scalar, sided, times, Vector
from ._card import LossCard
from ._elementary import log_cosh, sech_squared, tanh
from ._kinds import UNIT
from ._location_scale import constant, located, over_scale, standardised, with_derivatives
from ._register import register


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
