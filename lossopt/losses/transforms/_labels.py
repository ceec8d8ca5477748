"""Classification losses for labels that are softened, or known to be wrong at known rates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import like, times, widened
from .._card import LossCard
from .._kinds import UNIT
from .._register import claim, claims, derive, has_card, Loss
from ._part import checked, inherited, part, shell, unclaimed


def _label_smoothed_card(loss: Loss, smoothing: Any) -> LossCard:
    return unclaimed(
        **shell("label_smoothed", loss),
        formula=rf"(1 - \varepsilon)\,\ell(\cdot, y) + \tfrac{{\varepsilon}}{{k}} \sum_j \ell(\cdot, j),\ "
        rf"\ell = {claims(loss).formula}",
        hyperparameters={"smoothing": UNIT},
        calibrated=lambda: claim(loss, "calibrated") and smoothing < 1 if claim(loss, "calibrated") else None,
        proper=lambda: claim(loss, "proper") if smoothing == 0 else None,
        supremum=lambda: claim(loss, "supremum") if claim(loss, "supremum") == float("inf") else None,
        **inherited(loss, "symmetric", "noise_symmetric", "non_negative"),
    )


@derive(_label_smoothed_card)
def _label_smoothed(prediction: Any, target: Any, *, loss: Loss, smoothing: ArrayLike) -> Array:
    value = loss(prediction, target)
    share = like(smoothing, value)
    # A class that is masked costs infinity, also where none is to be had of it.
    return (1 - share) * value + times(share, jnp.mean(_by_class(loss, prediction, target)))


def label_smoothed(loss: Loss, smoothing: ArrayLike) -> Loss:
    """A classification loss whose label holds with `1 - smoothing`, and is otherwise drawn from all classes evenly.

    Formula: `(1 - smoothing) loss(., y) + smoothing mean over classes j of loss(., j)`. With logistic and
    softmax_cross_entropy this is their own `label_smoothing`; it serves every other loss as well.

    Args:
        loss: of a logit and a label 0 or 1, or of k logits (or probabilities) and a label or a vector of probabilities.
        smoothing: in [0, 1]; it is the hyperparameter `smoothing` of the result.

    Raises:
        TypeError: the loss is not a function. ValueError: it is not for classes, or smoothing is out of range.

    Source: Szegedy et al. (2016), CVPR, section 7.
    """
    inside = part(loss)
    _require_classes(inside, "label_smoothed")
    return checked(jax.tree_util.Partial(_label_smoothed, loss=inside, smoothing=smoothing))


def _noise_corrected_card(loss: Loss, transition: Any) -> LossCard:
    return unclaimed(
        **shell("noise_corrected", loss),
        formula=rf"\sum_j (T^{{-1}})_{{yj}}\, \ell(\cdot, j),\ \ell = {claims(loss).formula}",
    )


@derive(_noise_corrected_card)
def _noise_corrected(prediction: Any, target: Any, *, loss: Loss, transition: ArrayLike) -> Array:
    values = _by_class(loss, prediction, target)
    # By the loss of the label itself, so that an illegal label gives NaN here too.
    legal = jnp.where(jnp.isnan(loss(prediction, target)), jnp.nan, 1.0).astype(values.dtype)
    matrix = like(transition, values)
    if matrix.shape != (values.size, values.size):
        raise ValueError(
            f"The transition matrix of {values.size} classes needs shape {(values.size,) * 2}, not {matrix.shape}."
        )
    inverse = jnp.linalg.solve(matrix, jnp.eye(len(matrix), dtype=matrix.dtype))
    # A class that is masked costs infinity, also those that are never taken for it.
    corrected = jnp.sum(times(inverse, values[None]), axis=1)
    return legal * _picked(corrected, target)


def noise_corrected(loss: Loss, transition: ArrayLike) -> Loss:
    """A loss that on wrong labels is right on average: the backward correction.

    Formula: `sum_j inverse(T)[y, j] loss(., j)`, whose mean over the labels observed for a true class is the loss of
    the true class. It may be negative, and need not be convex; the more labels are wrong, the larger the correction.

    Args:
        loss: of a logit and a label 0 or 1, or of k logits and an integer label (or a one-hot vector).
        transition: (k, k), (2, 2) for a binary loss; entry (i, j) is the probability that class i is labelled j. Each
            row sums to 1. It is the hyperparameter `transition` of the result.

    Raises:
        TypeError: the loss is not a function. ValueError: it is not for classes; the matrix is not square, its rows do
            not sum to 1, or it cannot be inverted.

    Source: Natarajan et al. (2013), NeurIPS, lemma 1; Patrini et al. (2017), CVPR, theorem 1.
    """
    inside = part(loss)
    _require_classes(inside, "noise_corrected")
    if not isinstance(transition, jax.core.Tracer):
        pair = has_card(inside) and claims(inside).task == "binary"
        _check_transition(np.asarray(transition, float), 2 if pair else None)
    return checked(jax.tree_util.Partial(_noise_corrected, loss=inside, transition=jnp.asarray(transition)))


def _by_class(loss: Loss, prediction: Any, target: Any) -> Array:
    """The loss of every class, (k,)."""
    k = jnp.shape(prediction)[0] if jnp.ndim(prediction) else 2
    target = widened(target)
    if target.ndim:
        return jax.vmap(loss, (None, 0))(prediction, jnp.eye(k, dtype=target.dtype))
    return jax.vmap(loss, (None, 0))(prediction, jnp.arange(k).astype(target.dtype))


def _picked(values: Array, target: Any) -> Array:
    target = widened(target)
    if target.ndim:
        return jnp.sum(values * target.astype(values.dtype))
    if jnp.issubdtype(target.dtype, jnp.floating):
        return values[0] + target.astype(values.dtype) * (values[1] - values[0])
    return values[jnp.clip(target, 0, values.size - 1)]


def _require_classes(loss: Loss, transform: str) -> None:
    if has_card(loss) and claims(loss).task not in ("binary", "multiclass"):
        raise ValueError(f"{transform} is for classification losses, and {claims(loss).name} is for another task.")


def _check_transition(matrix: np.ndarray, classes: int | None) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or np.any(matrix < 0):
        raise ValueError(f"transition must be a square matrix of probabilities, not an array of shape {matrix.shape}.")
    if classes not in (None, len(matrix)):
        raise ValueError(f"transition has shape {matrix.shape} where ({classes}, {classes}) is expected.")
    wrong = np.flatnonzero(np.abs(matrix.sum(axis=1) - 1) > 1e-3)
    if wrong.size:
        raise ValueError(f"Row {wrong[0]} of transition sums to {matrix[wrong[0]].sum():g}: each row must sum to 1.")
    if np.linalg.cond(matrix) > 1e6:
        raise ValueError("transition cannot be inverted: two classes are labelled alike, and no loss can part them.")
