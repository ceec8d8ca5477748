"""Cross-entropy of one logit s (or, where named, a probability) and a target in [0, 1]."""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import floats, like, Scalar, times, unit
from ._card import LossCard
from ._elementary import softplus, weighed
from ._kinds import POSITIVE_FINITE, UNIT
from ._register import register


@register(
    LossCard(
        task="binary",
        prediction="probability",
        target="unit",
        formula=r"-[y \log p + (1 - y)\log(1 - p)]",
        least_curvature=1.0,
        tails=None,
        elicits="probability",
        proper=True,
        calibrated=True,
        noise="bernoulli",
        aliases={
            "keras.losses.binary_crossentropy": 1.0,
            "torch.nn.functional.binary_cross_entropy": 1.0,
            "sklearn.metrics.log_loss": 1.0,
        },
        reference="Good (1952)",
    )
)
def binary_cross_entropy(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The textbook cross-entropy of a *probability*. To train, use `logistic`, which takes a logit.

    Formula: `-(y log p + (1 - y) log(1 - p))`. Exactly 0 at p = y in {0, 1}, inf where a certain prediction is
    wrong, NaN outside [0, 1]: nothing is clipped. Keras' `binary_crossentropy` clips p at 1e-7.

    Args:
        prediction: a probability in [0, 1]. target: a probability, most often 0 or 1. The loss is in nats.

    Source: Good (1952), Journal of the Royal Statistical Society B 14, section 8.
    """
    p, y = floats(prediction, target)
    # Anything illegal spoils the target, and through it the slope as well as the value.
    y = jnp.where((jnp.minimum(p, y) >= 0) & (jnp.maximum(p, y) <= 1), y, jnp.nan)
    return -(weighed(jnp.log, 1.0)(y, p) + weighed(jnp.log1p, 0.0)(1 - y, -p))


def _plain(positive_weight: float, label_smoothing: float) -> bool:
    return positive_weight == 1 and label_smoothing == 0


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"w\,y \log(1 + e^{-s}) + (1 - y)\log(1 + e^{s})",
        hyperparameters={"positive_weight": POSITIVE_FINITE, "label_smoothing": UNIT},
        lipschitz=lambda positive_weight, label_smoothing: max(positive_weight, 1.0) * (1 - label_smoothing / 2),
        smoothness=lambda positive_weight, label_smoothing: (
            (max(positive_weight, 1.0) * (1 - label_smoothing / 2) + min(positive_weight, 1.0) * label_smoothing / 2)
            / 4
        ),
        symmetric=lambda positive_weight: positive_weight == 1,
        zero_at_perfect_fit=False,
        elicits=lambda positive_weight, label_smoothing: (
            "log-odds" if _plain(positive_weight, label_smoothing) else None
        ),
        proper=_plain,
        calibrated=lambda positive_weight, label_smoothing: positive_weight == 1 and label_smoothing < 1,
        noise=lambda positive_weight, label_smoothing: (
            "bernoulli" if _plain(positive_weight, label_smoothing) else None
        ),
        aliases={
            "optax.losses.sigmoid_binary_cross_entropy": 1.0,
            "keras.losses.binary_crossentropy(from_logits=True)": 1.0,
            "torch.nn.functional.binary_cross_entropy_with_logits": 1.0,
            "jaxopt.loss.binary_logistic_loss": 1.0,
            "sklearn._loss.HalfBinomialLoss": 1.0,
        },
        reference="Cox (1958)",
    )
)
def logistic(
    prediction: Scalar, target: Scalar, *, positive_weight: ArrayLike = 1.0, label_smoothing: ArrayLike = 0.0
) -> Float[Array, ""]:
    """Binary cross-entropy of a logit: the loss to train a classifier with.

    Formula: `w y softplus(-s) + (1 - y) softplus(s)`, where label smoothing first moves y to
    `y (1 - smoothing) + smoothing / 2`. Written as two softpluses and not as `softplus(s) - y s`, so the loss of
    a confident, right prediction keeps its digits. optax: `sigmoid_binary_cross_entropy`; PyTorch:
    `BCEWithLogitsLoss(pos_weight)`; scikit-learn: `HalfBinomialLoss`, with this factor.

    Args:
        prediction: a logit, any real number. target: a probability, most often 0 or 1. The loss is in nats.
        positive_weight: weight of the positive class against 1 of the negative, in (0, inf).
        label_smoothing: in [0, 1].

    Source: Cox (1958), Journal of the Royal Statistical Society B 20.
    """
    s, y = unit(prediction, target)
    weight, smoothing = like(positive_weight, s), like(label_smoothing, s)
    y = y * (1 - smoothing) + smoothing / 2
    return times(weight * y, softplus(-s)) + times(1 - y, softplus(s))
