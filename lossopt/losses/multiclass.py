"""Cross-entropy of a vector over k classes and an integer label (or, where named, a probability vector)."""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import known_zero, label, like, non_negative, Scalar, simplex, times, Vector
from ._card import LossCard
from ._elementary import weighed
from ._kinds import Growth, NON_NEGATIVE_FINITE, UNIT
from ._register import register
from ._softmax import cross_entropy


def heaviest(class_weights: ArrayLike | None) -> float:
    """The largest class weight: 1 where there are none."""
    return 1.0 if class_weights is None else float(jnp.max(jnp.asarray(class_weights)))


def weighted(loss: Array, y: Array, legal: Array, class_weights: ArrayLike | None) -> Array:
    """The loss of a one-hot label times the weight of its class; `legal` is NaN where the label is not.

    Raises:
        ValueError: the weights are not one a class.
    """
    if class_weights is None:
        return loss
    weights = like(class_weights, loss)
    if weights.shape != y.shape:
        raise ValueError(f"The class_weights of {y.size} classes need shape {y.shape}, not {weights.shape}.")
    return times(legal * jnp.sum(times(y, weights)), loss)


@register(
    LossCard(
        task="multiclass",
        prediction="probabilities",
        target="simplex",
        formula=r"-\sum_i y_i \log p_i",
        tails=None,
        elicits="probability",
        proper=True,
        calibrated=True,
        noise="categorical",
        aliases={
            "keras.losses.categorical_crossentropy": 1.0,
        },
        reference="Good (1952)",
    )
)
def categorical_cross_entropy(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """The textbook cross-entropy of a vector of *probabilities*. To train, use `softmax_cross_entropy`.

    Formula: `-sum_i y_i log p_i`. Exactly 0 for a one-hot target predicted with certainty, inf where a class that
    occurs has probability 0, NaN for a probability outside [0, 1]; nothing is clipped or renormalised, as
    Keras' `categorical_crossentropy` does.

    Args:
        prediction: (k,) probabilities. target: (k,) probabilities, most often one-hot. The loss is in nats.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Good (1952), Journal of the Royal Statistical Society B 14, section 8.
    """
    p, y = simplex(prediction, target)
    y = non_negative(y)
    # A factor of the whole vector, so that every entry of the slope is NaN as well.
    p = p * jnp.where(jnp.all((p >= 0) & (p <= 1) & (y >= 0)), 1.0, jnp.nan)
    return jnp.sum(-jax.vmap(weighed(jnp.log, 1.0))(y, p))


def _unsmoothed(label_smoothing: float) -> bool:
    return label_smoothing == 0


def even(class_weights: ArrayLike | None) -> bool:
    """Whether every class counts alike."""
    return class_weights is None or float(jnp.ptp(jnp.asarray(class_weights))) == 0


def void(class_weights: ArrayLike | None) -> bool:
    """Whether no class counts: the loss is then constantly 0."""
    return heaviest(class_weights) == 0


def reach(class_weights: ArrayLike | None) -> float:
    """The supremum of a loss without bound, of classes so weighted."""
    return 0.0 if void(class_weights) else math.inf


def growth(class_weights: ArrayLike | None) -> Growth:
    """The tails of a loss that grows linearly, of classes so weighted."""
    return "constant" if void(class_weights) else "linear"


def _plain(label_smoothing: float, class_weights: ArrayLike | None) -> bool:
    return label_smoothing == 0 and even(class_weights) and not void(class_weights)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"w_y \left(\log\sum_j e^{z_j} - z_y\right)",
        hyperparameters={"label_smoothing": UNIT, "class_weights": NON_NEGATIVE_FINITE},
        lipschitz=lambda label_smoothing, class_weights: (
            math.sqrt(2) * heaviest(class_weights) if _unsmoothed(label_smoothing) else None
        ),
        smoothness=lambda class_weights: heaviest(class_weights) / 2,
        supremum=reach,
        redescending=void,
        symmetric=even,
        tails=growth,
        zero_at_perfect_fit=void,
        elicits=lambda label_smoothing, class_weights: "log-odds" if _plain(label_smoothing, class_weights) else None,
        proper=_plain,
        calibrated=lambda label_smoothing, class_weights: (
            label_smoothing < 1 and even(class_weights) and not void(class_weights)
        ),
        noise=lambda label_smoothing, class_weights: (
            "categorical" if _plain(label_smoothing, class_weights) and heaviest(class_weights) == 1 else None
        ),
        aliases={
            "optax.losses.softmax_cross_entropy_with_integer_labels": 1.0,
            "keras.losses.sparse_categorical_crossentropy(from_logits=True)": 1.0,
            "torch.nn.functional.cross_entropy": 1.0,
            "jaxopt.loss.multiclass_logistic_loss": 1.0,
            "sklearn._loss.HalfMultinomialLoss": 1.0,
        },
        reference="McFadden (1974)",
    )
)
def softmax_cross_entropy(
    prediction: Vector, target: Scalar, *, label_smoothing: ArrayLike = 0.0, class_weights: ArrayLike | None = None
) -> Float[Array, ""]:
    """Categorical cross-entropy of logits and an integer label: the loss to train a classifier with.

    Formula: `w_y (log sum_j exp(z_j) - z_y)`; label smoothing replaces the label by
    `(1 - smoothing) one_hot + smoothing / k`. Written so that a confident, right prediction keeps its digits. A logit
    of -inf masks a class, and a masked label costs inf; with smoothing, so does a masked class. A label outside [0, k)
    gives NaN. optax: `softmax_cross_entropy_with_integer_labels`.

    Args:
        prediction: (k,) logits. target: an integer in [0, k). The loss is in nats.
        label_smoothing: in [0, 1].
        class_weights: (k,) factors by label, or None for 1 (a mean over examples is not renormalised by them).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: McFadden (1974), in Frontiers in Econometrics.
    """
    logits, y, legal = label(prediction, target)
    soft = y
    if not known_zero(label_smoothing):
        smoothing = like(label_smoothing, logits)
        soft = y * (1 - smoothing) + smoothing / logits.size
    return weighted(legal * cross_entropy(logits, soft), y, legal, class_weights)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="simplex",
        formula=r"-\sum_i y_i \log \mathrm{softmax}(z)_i",
        lipschitz=math.sqrt(2),
        smoothness=0.5,
        zero_at_perfect_fit=False,
        elicits="log-odds",
        proper=True,
        calibrated=True,
        noise="categorical",
        aliases={
            "optax.losses.softmax_cross_entropy": 1.0,
            "optax.losses.safe_softmax_cross_entropy": 1.0,
            "keras.losses.categorical_crossentropy(from_logits=True)": 1.0,
        },
        reference="Bridle (1990)",
    )
)
def softmax_cross_entropy_soft(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """Categorical cross-entropy of logits and a vector of probabilities (soft labels).

    Formula: `-sum_i y_i log softmax(z)_i`, as a sum in which no term is negative. A logit of -inf is legal where y is
    0 and costs inf elsewhere. The entropy of y is not subtracted. optax: `softmax_cross_entropy`.

    Args:
        prediction: (k,) logits. target: (k,) probabilities. The loss is in nats.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Bridle (1990), in Neurocomputing, NATO ASI F68.
    """
    return cross_entropy(*simplex(prediction, target))
