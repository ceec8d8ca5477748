"""Keras's own tests of its losses, asked of ours: the class that reduces and weighs stays theirs, the loss is ours."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from lossopt import losses

from . import suites


os.environ.setdefault("KERAS_BACKEND", "jax")


# (targets, predictions, **hyperparameters) -> one number a row, as in Keras.
Adapter = Callable[..., jax.Array]


class Same(NamedTuple):
    """A loss of Keras, ours, the class of their tests of it, and ours in their signature."""

    theirs: str
    ours: str
    tests: str
    adapter: Adapter


def _arrays(y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    y_pred = jnp.asarray(y_pred)
    return jnp.asarray(y_true).astype(y_pred.dtype), y_pred


def _mean(ours: str, *, factor: float = 1.0, convert: Callable[[Any], Any] = lambda t: t) -> Adapter:
    """A loss of numbers, averaged over the last axis; ours = factor * theirs."""

    def loss(y_true: Any, y_pred: Any, **given: Any) -> jax.Array:
        target, prediction = _arrays(y_true, y_pred)
        return jnp.mean(suites.batched(ours, **given)(prediction, convert(target)), -1) / factor

    return loss


def _from_signs(t: jax.Array) -> jax.Array:
    """Keras takes labels of ±1, and of 0 and 1."""
    return jnp.where(t == -1, 0, t)


def _numbers(theirs: str, ours: str, tests: str, **more: Any) -> Same:
    return Same(theirs, ours, tests, _mean(ours, **more))


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    target, prediction = (jnp.moveaxis(x, axis, -1) for x in _arrays(y_true, y_pred))
    return suites.batched("cosine_distance")(prediction, target) - 1


def _binary(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    target, prediction = _arrays(y_true, y_pred)
    if from_logits:
        return jnp.mean(suites.batched("logistic", label_smoothing=label_smoothing)(prediction, target), axis)
    target = target * (1 - label_smoothing) + label_smoothing / 2
    return jnp.mean(suites.batched("binary_cross_entropy")(prediction, target), axis)


def _focal(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    target, prediction = _arrays(y_true, y_pred)
    logit = prediction if from_logits else jnp.log(prediction) - jnp.log1p(-prediction)
    target = target * (1 - label_smoothing) + label_smoothing / 2
    given = {"alpha": alpha} if apply_class_balancing else {}
    return jnp.mean(suites.batched("focal", gamma=gamma, **given)(logit, target), axis)


def _categorical(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    target, prediction = (jnp.moveaxis(x, axis, -1) for x in _arrays(y_true, y_pred))
    target = target * (1 - label_smoothing) + label_smoothing / target.shape[-1]
    name = "softmax_cross_entropy_soft" if from_logits else "categorical_cross_entropy"
    return suites.batched(name)(prediction, target)


def _sparse(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> jax.Array:
    prediction, target = jnp.moveaxis(jnp.asarray(y_pred), axis, -1), jnp.asarray(y_true)
    target = (target[..., 0] if target.shape[-1:] == (1,) else target).astype(int)
    if ignore_class is not None:
        raise ValueError("leave rows out with `where` of a cost")
    if from_logits:
        return suites.batched("softmax_cross_entropy")(prediction, target)
    one_hot = jax.nn.one_hot(target, prediction.shape[-1], dtype=prediction.dtype)
    return suites.batched("categorical_cross_entropy")(prediction, one_hot)


def _categorical_focal(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> jax.Array:
    if label_smoothing:
        raise ValueError("its target is a label here, and no vector to smooth")
    target, prediction = _arrays(y_true, y_pred)
    logits = prediction if from_logits else jnp.log(prediction / prediction.sum(axis, keepdims=True))
    return alpha * suites.batched("categorical_focal", gamma=gamma)(logits, target.argmax(axis))


def _generalized(y_true: Any, y_pred: Any, q: float) -> jax.Array:
    """Theirs takes probabilities; softmax gives them back from their logarithms."""
    prediction = jnp.log(jnp.asarray(y_pred, jnp.float32))
    return suites.batched("generalized_cross_entropy", q=q)(prediction, jnp.asarray(y_true, int))


def _poisson(y_true: Any, y_pred: Any) -> jax.Array:
    """Theirs takes the mean, ours its logarithm."""
    target, prediction = _arrays(y_true, y_pred)
    return jnp.mean(suites.batched("poisson")(jnp.log(prediction), target), -1)


def _divergence(y_true: Any, y_pred: Any) -> jax.Array:
    target, prediction = _arrays(y_true, y_pred)
    return suites.batched("kl_divergence")(jnp.log(prediction), target)


LOSSES = [
    _numbers("mean_squared_error", "squared_error", "MeanSquaredErrorTest"),
    _numbers("mean_absolute_error", "absolute_error", "MeanAbsoluteErrorTest"),
    _numbers(
        "mean_absolute_percentage_error", "absolute_percentage_error", "MeanAbsolutePercentageErrorTest", factor=0.01
    ),
    _numbers("mean_squared_logarithmic_error", "squared_log_error", "MeanSquaredLogarithmicErrorTest"),
    _numbers("huber", "huber", "HuberLossTest"),
    _numbers("log_cosh", "log_cosh", "LogCoshTest"),
    _numbers("hinge", "hinge", "HingeTest", convert=_from_signs),
    _numbers("squared_hinge", "squared_hinge", "SquaredHingeTest", convert=_from_signs),
    Same("cosine_similarity", "cosine_distance", "CosineSimilarityTest", _cosine),
    Same("binary_crossentropy", "logistic", "BinaryCrossentropyTest", _binary),
    Same("binary_focal_crossentropy", "focal", "BinaryFocalCrossentropyTest", _focal),
    Same("categorical_crossentropy", "softmax_cross_entropy_soft", "CategoricalCrossentropyTest", _categorical),
    Same("sparse_categorical_crossentropy", "softmax_cross_entropy", "SparseCategoricalCrossentropyTest", _sparse),
    Same(
        "categorical_focal_crossentropy",
        "categorical_focal",
        "CategoricalFocalCrossentropyTest",
        _categorical_focal,
    ),
    Same(
        "categorical_generalized_cross_entropy",
        "generalized_cross_entropy",
        "CategoricalGeneralizedCrossEntropyTest",
        _generalized,
    ),
    Same("poisson", "poisson", "PoissonTest", _poisson),
    Same("kl_divergence", "kl_divergence", "KLDivergenceTest", _divergence),
]


# Not asked: how Keras stores, casts, weighs, averages and transposes, around the function that we replace.
REDUCTION = "_config|_dtype_arg|(?<!un)weighted|_reduction|_different_axis"

NORMALISED = "the probabilities are divided by their sum there, and used as they are here"
SMOOTHED = "its target is a label here, and no vector to smooth"
LEFT_OUT = "a row is left out by `where` of a cost, and not by its label"
CLIPPED = "a probability of 0 is clipped there, and here it costs inf"
NEGATIVE = "a negative value is clipped to 0 there, and is NaN here"
SQUEEZED = "an axis of length 1 too many is squeezed there, and refused here"
REFUSED = "it is refused here too, with other words"
DIFFERS = {
    "BinaryCrossentropyTest.test_unweighted": CLIPPED,
    "CategoricalCrossentropyTest.test_unweighted": NORMALISED,
    "SparseCategoricalCrossentropyTest.test_unweighted": NORMALISED,
    "MeanSquaredLogarithmicErrorTest.test_unweighted": NEGATIVE,
    "KLDivergenceTest.test_unweighted": "neither vector sums to 1 there; softmax divides by the sum here",
    "CategoricalFocalCrossentropyTest.test_label_smoothing": SMOOTHED,
    "BinaryCrossentropyTest.test_shape_mismatch": REFUSED,
    "CategoricalCrossentropyTest.test_shape_mismatch": REFUSED,
    "SparseCategoricalCrossentropyTest.test_squeezes_singleton_class_dim_on_user_axis": SQUEEZED,
    "SparseCategoricalCrossentropyTest.test_ignore_class": LEFT_OUT,
}


def asked() -> suites.Outcomes:
    """The cases of the tests of these losses, with the library's own replaced by ours."""
    pytest.importorskip("keras", reason="Keras is not installed")
    tests = suites.suite("keras.src.losses.losses_test")
    same = [each for each in LOSSES if each.ours in losses.names()]
    replaced = {(tests.losses, each.theirs): each.adapter for each in same}
    return suites.of_classes(suites.tests_of(tests, [each.tests for each in same], but=REDUCTION), replaced)


def test_losses():
    suites.hold(asked(), DIFFERS)
