"""Losses that read a score s as a probability: the quadratic score of its sigmoid, and likelihoods with other links."""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ._arguments import Scalar, unit
from ._card import LossCard
from ._elementary import differentiated_by, relative_expm1, sigmoid, weighed
from ._normal import surprise
from ._register import register
from .margin_robust import SQUARED_SIGMOID_BENDS, SQUARED_SIGMOID_SLOPE


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"(p - y)^2",
        lipschitz=SQUARED_SIGMOID_SLOPE,
        smoothness=SQUARED_SIGMOID_BENDS[1],
        least_curvature=SQUARED_SIGMOID_BENDS[0],
        supremum=1.0,
        redescending=True,
        tails="constant",
        zero_at_perfect_fit=False,
        elicits="log-odds",
        proper=True,
        calibrated=True,
        reference="Brier (1950)",
    )
)
def brier(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """Squared error of the probability that a logit states: proper and bounded, but not convex in the logit.

    Formula: `(sigmoid(s) - y)**2`, with `p - y = (1 - y) p - y (1 - p)`, in which a confident, right prediction keeps
    its digits. Of a probability, scikit-learn's `brier_score_loss` is its mean; Brier's own score of two classes,
    `multiclass_brier`, is twice as large.

    Args:
        prediction: a logit, any real number. target: a probability, most often 0 or 1.

    Source: Brier (1950), Monthly Weather Review 78.
    """
    s, y = unit(prediction, target)
    error = (1 - y) * sigmoid(s) - y * sigmoid(-s)
    return error * error


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"-[y \log \Phi(s) + (1 - y) \log \Phi(-s)]",
        smoothness=1.0,
        tails="quadratic",
        zero_at_perfect_fit=False,
        elicits="normal quantile of the probability",
        proper=True,
        calibrated=True,
        noise="bernoulli",
        reference="Bliss (1934)",
    )
)
def probit(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """Cross-entropy of the probability Phi(s), with Phi the normal distribution function: quadratic where it is wrong.

    Formula: `-(y log Phi(s) + (1 - y) log Phi(-s))`. Far out on the wrong side it is `s**2 / 2` plus a logarithm,
    written with the hazard of the normal distribution, so that no tail is rounded to 0.

    Args:
        prediction: a score in units of the latent noise's standard deviation, any real number.
        target: a probability, most often 0 or 1. The loss is in nats.

    Source: Bliss (1934), Science 79.
    """
    s, y = unit(prediction, target)
    of_class = weighed(surprise, 0.0)
    return of_class(y, s) + of_class(1 - y, -s)


def _rate(s: Array) -> Array:
    """e^s, held where its e^-u is 0, and no derivative overflows on the way."""
    return jnp.exp(jnp.minimum(s, math.log(-2 * math.log(float(jnp.finfo(s.dtype).tiny)))))


def _log_log_slope(s: Array) -> Array:
    # -u / (e^u - 1) for u = e^s.
    u = _rate(s)
    return -jnp.exp(-u) / relative_expm1(-u)


@differentiated_by(_log_log_slope)
def _log_log(s: Array) -> Array:
    """-log(1 - exp(-exp(s))): for s < 0, -s - log((1 - e^-u) / u) with u = e^s, two terms that are not negative."""
    u = _rate(s)
    left = s < 0
    near, far = jnp.where(left, s, 0.0), jnp.where(left, 1.0, u)
    return jnp.where(left, -near - jnp.log(relative_expm1(-jnp.where(left, u, 0.0))), -jnp.log1p(-jnp.exp(-far)))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"-[y \log(1 - e^{-e^s}) - (1 - y) e^s]",
        symmetric=False,
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="complementary log-log of the probability",
        proper=True,
        calibrated=False,
        noise="bernoulli",
        reference="Fisher (1922)",
    )
)
def complementary_log_log(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """Cross-entropy of the probability 1 - exp(-exp(s)): that of at least one event in a Poisson count of mean e^s.

    Formula: `-y log(1 - exp(-exp(s))) + (1 - y) exp(s)`. The classes are not exchangeable: a wrong 1 costs
    exponentially, a wrong 0 linearly. The probability is 1/2 at s = log(log 2) = -0.367, not at 0, so the sign of s is
    not the likelier class.

    Args:
        prediction: the log of a rate, any real number. target: a probability, most often 0 or 1. The loss is in nats.

    Source: Fisher (1922), Philosophical Transactions of the Royal Society A 222, section 12.3.
    """
    s, y = unit(prediction, target)
    return weighed(_log_log, 0.0)(y, s) + weighed(jnp.exp, 0.0)(1 - y, s)
