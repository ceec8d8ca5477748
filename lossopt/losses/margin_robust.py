"""Losses of the margin m for labels that may be wrong: bounded, or linear, so that no outlier rules the fit."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._arguments import margin, Scalar
from ._card import LossCard
from ._elementary import sigmoid
from ._register import register


# Curvature over sigmoid(-u) = q: with f = q it is q (1 - q) (1 - 2 q), with f = q**2 it is 2 q**2 (1 - q) (2 - 3 q).
SIGMOID_BEND = math.sqrt(3) / 18
SQUARED_SIGMOID_SLOPE = 8 / 27
SQUARED_SIGMOID_BENDS = tuple(
    2 * q * q * (1 - q) * (2 - 3 * q) for q in ((15 + sign * math.sqrt(33)) / 24 for sign in (1, -1))
)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"1 / (1 + e^{m})",
        lipschitz=1 / 4,
        smoothness=SIGMOID_BEND,
        least_curvature=-SIGMOID_BEND,
        supremum=1.0,
        redescending=True,
        tails="constant",
        zero_at_perfect_fit=False,
        proper=False,
        calibrated=True,
        noise_symmetric=True,
        reference="Mason et al. (1999)",
    )
)
def sigmoid_margin(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The probability given to the wrong class: a smooth count of mistakes, which symmetric label noise does not bias.

    Formula: `sigmoid(-m)`; l(m) + l(-m) = 1. Its expected value is least at an infinite score, whatever the target's
    probability, and it is not convex.

    Args:
        prediction: a logit, any real number. target: 0 or 1.

    Source: Mason, Baxter, Bartlett and Frean (1999), Neural Information Processing Systems 12; for label noise Ghosh,
    Manwani and Sastry (2015), Neurocomputing 160.
    """
    return sigmoid(-margin(prediction, target))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"1 / (1 + e^{2m})^2",
        lipschitz=2 * SQUARED_SIGMOID_SLOPE,
        smoothness=4 * SQUARED_SIGMOID_BENDS[1],
        least_curvature=4 * SQUARED_SIGMOID_BENDS[0],
        supremum=1.0,
        redescending=True,
        tails="constant",
        zero_at_perfect_fit=False,
        elicits="half the log-odds",
        proper=False,
        calibrated=True,
        reference="Masnadi-Shirazi and Vasconcelos (2008)",
    )
)
def savage(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The loss of SavageBoost: bounded, so outliers lose their pull, and yet its minimiser tells the probability.

    Formula: `sigmoid(-2 m)**2`, which is `brier` at twice the score: the minimiser is half the log-odds.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Masnadi-Shirazi and Vasconcelos (2008), Neural Information Processing Systems 21, table 1.
    """
    q = sigmoid(-2 * margin(prediction, target))
    return q * q


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\min(2, \max(0, 1 - m))",
        kinks=(-1.0, 1.0),
        lipschitz=1.0,
        least_curvature=-math.inf,
        supremum=2.0,
        redescending=True,
        tails="constant",
        proper=False,
        calibrated=True,
        noise_symmetric=True,
        reference="Collobert, Sinz, Weston and Bottou (2006)",
    )
)
def ramp(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The hinge clipped at 2: what lies beyond the margin -1 on the wrong side has no pull.

    Formula: `min(2, max(0, 1 - m))`; l(m) + l(-m) = 2, so symmetric label noise does not bias it. The slope chosen at
    the kinks m = ±1 is 0. Half of it is the ramp loss that lies between 0 and 1.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Collobert, Sinz, Weston and Bottou (2006), International Conference on Machine Learning 23.
    """
    m = margin(prediction, target)
    return jnp.where(m >= 1, 0.0, jnp.where(m <= -1, 2.0, 1 - m))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"1 - m",
        lipschitz=1.0,
        smoothness=0.0,
        non_negative=False,
        zero_at_perfect_fit=False,
        proper=False,
        calibrated=True,
        noise_symmetric=True,
        reference="Van Rooyen, Menon and Williamson (2015)",
    )
)
def unhinged(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The hinge without its corner: negative beyond the margin 1, and without a minimum unless there is a penalty.

    Formula: `1 - m`; l(m) + l(-m) = 2, which makes it the only convex loss that symmetric label noise does not bias.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Van Rooyen, Menon and Williamson (2015), Neural Information Processing Systems 28.
    """
    return 1 - margin(prediction, target)
