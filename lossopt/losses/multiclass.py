"""Losses of a vector over k classes and an integer label (or, where named, a probability vector)."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import label, like, Scalar, simplex, times, Vector
from ._card import LossCard, NON_NEGATIVE, register, UNIT


@jax.custom_jvp
def _surprise(logits: Array, chosen: Array) -> Array:
    """-log softmax(logits) at the chosen entry = log(1 + sum of exp(z_j - z_chosen) over the others).

    With the largest logit M taken out: (M - z) + log1p(expm1(z - M) + sum over the others of exp(z_j - M)), in which
    the small loss of a confident, right prediction is a sum of small terms and not a difference of large ones.
    """
    top = jnp.max(logits)
    shifted = _shifted(logits, top)
    own = jnp.sum(jnp.where(chosen, shifted, 0.0))
    others = jnp.sum(jnp.where(chosen, 0.0, jnp.exp(shifted)))
    return -own + jnp.log1p(jnp.expm1(own) + others)


@_surprise.defjvp
def _(primals, tangents):
    # The slope is p_j for the others and, for the chosen class, minus their sum: never p - 1.
    logits, chosen = primals
    weights = jnp.exp(_shifted(logits, jax.lax.stop_gradient(jnp.max(logits))))
    others = jnp.where(chosen, 0.0, weights / jnp.sum(weights))
    own = jnp.sum(jnp.where(chosen, tangents[0], 0.0))
    return _surprise(logits, chosen), jnp.sum(others * tangents[0]) - jnp.sum(others) * own


def _shifted(logits: Array, top: Array) -> Array:
    # An infinite logit minus an equal one is 0, not NaN.
    return jnp.where(jnp.isinf(logits) & (logits == top), 0.0, logits - top)


def _heaviest(class_weights: ArrayLike | None) -> float:
    return 1.0 if class_weights is None else float(jnp.max(jnp.asarray(class_weights)))


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
    outside = jnp.any((p < 0) | (p > 1))
    return jnp.where(outside, jnp.nan, jnp.sum(-times(y, jnp.log(jnp.where(y == 0, 1.0, p)))))


def _unsmoothed(label_smoothing: float) -> bool:
    return label_smoothing == 0


def _plain(label_smoothing: float, class_weights: ArrayLike | None) -> bool:
    return label_smoothing == 0 and class_weights is None


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"w_y \left(\log\sum_j e^{z_j} - z_y\right)",
        hyperparameters={"label_smoothing": UNIT, "class_weights": NON_NEGATIVE},
        lipschitz=lambda label_smoothing, class_weights: (
            math.sqrt(2) * _heaviest(class_weights) if _unsmoothed(label_smoothing) else None
        ),
        smoothness=lambda class_weights: _heaviest(class_weights) / 2,
        symmetric=lambda class_weights: class_weights is None,
        zero_at_perfect_fit=False,
        elicits=lambda label_smoothing, class_weights: "log-odds" if _plain(label_smoothing, class_weights) else None,
        proper=_plain,
        calibrated=lambda class_weights: class_weights is None,
        noise=lambda label_smoothing, class_weights: "categorical" if _plain(label_smoothing, class_weights) else None,
        aliases={"optax.losses.softmax_cross_entropy_with_integer_labels": 1.0},
        reference="McFadden (1974)",
    )
)
def softmax_cross_entropy(
    prediction: Vector, target: Scalar, *, label_smoothing: ArrayLike = 0.0, class_weights: ArrayLike | None = None
) -> Float[Array, ""]:
    """Categorical cross-entropy of logits and an integer label: the loss to train a classifier with.

    Formula: `w_y (log sum_j exp(z_j) - z_y)`; label smoothing replaces the label by
    `(1 - smoothing) one_hot + smoothing / k`. Written over the *other* classes, so that a confident, right prediction
    keeps its digits. A logit of -inf masks a class, and a masked label costs inf; with smoothing, so does a
    masked class. A label outside [0, k) gives NaN. optax: `softmax_cross_entropy_with_integer_labels`.

    Args:
        prediction: (k,) logits. target: an integer in [0, k). The loss is in nats.
        label_smoothing: in [0, 1].
        class_weights: (k,) factors by label, or None for 1 (a mean over examples is not renormalised by them).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: McFadden (1974), in Frontiers in Econometrics.
    """
    logits, chosen = label(prediction, target)
    smoothing = like(label_smoothing, logits)
    own = jnp.sum(jnp.where(chosen, logits, 0.0))
    smooth = jnp.where(smoothing > 0, logits, 0.0)
    spread = jnp.where(smoothing > 0, own, 0.0) - jnp.mean(smooth)
    loss = _surprise(logits, chosen) + smoothing * spread
    if class_weights is None:
        return loss
    return times(jnp.sum(jnp.where(chosen, like(class_weights, logits), 0.0)), loss)


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
        aliases={"optax.losses.softmax_cross_entropy": 1.0},
        reference="Bridle (1990)",
    )
)
def softmax_cross_entropy_soft(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """Categorical cross-entropy of logits and a vector of probabilities (soft labels).

    Formula: `-sum_i y_i log softmax(z)_i`, computed from the likeliest class m that the target allows as
    `(sum y) (-log softmax(z)_m) + sum_i y_i (z_m - z_i)`, in which no term is negative. A logit of -inf is legal
    where y is 0 and costs inf elsewhere. The entropy of y is not subtracted. optax: `softmax_cross_entropy`.

    Args:
        prediction: (k,) logits. target: (k,) probabilities. The loss is in nats.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Bridle (1990), in Neurocomputing, NATO ASI F68.
    """
    logits, y = simplex(prediction, target)
    occurs = y > 0
    best = jnp.argmax(jnp.where(occurs, logits, -jnp.inf))
    chosen = jnp.arange(logits.size) == best
    own = jnp.sum(jnp.where(chosen, logits, 0.0))
    behind = times(y, jnp.where(occurs, own - logits, 0.0))
    return times(jnp.sum(y), _surprise(logits, chosen)) + jnp.sum(behind)
