"""keras.losses on the JAX backend: (target, prediction), averaged over the last axis, which is added here."""

import os
from typing import Any

import jax
from mpmath import mpf

from ._version import by_jax, Call, Version


os.environ.setdefault("KERAS_BACKEND", "jax")

import keras


if keras.backend.backend() != "jax":
    raise ImportError("Keras is compared on its JAX backend: set KERAS_BACKEND=jax.")


def _keras(loss: str, name: str, call: Call | None = None, *, note: str = "", **more: Any) -> Version:
    raw = call or _swapped(name)
    one: Call = lambda p, t, **given: raw(p[..., None], t[..., None], **given)  # noqa: E731
    return Version(loss, f"keras.losses.{name}{note}", one, by_jax(one), raw=raw, **more)


def _keras_vector(loss: str, name: str, call: Call | None = None, *, note: str = "", **more: Any) -> Version:
    call = call or _swapped(name)
    return Version(loss, f"keras.losses.{name}{note}", call, by_jax(call), **more)


def _swapped(name: str, **fixed: Any) -> Call:
    fn = getattr(keras.losses, name)
    return lambda p, t, **given: fn(t, p, **given, **fixed)


def _focal(p: jax.Array, t: jax.Array, *, gamma: float, alpha: float | None) -> jax.Array:
    balance = {} if alpha is None else {"apply_class_balancing": True, "alpha": alpha}
    return keras.losses.binary_focal_crossentropy(t, p, gamma=gamma, from_logits=True, **balance)


def _categorical_focal(p: jax.Array, t: jax.Array, *, gamma: float, class_weights: None) -> jax.Array:
    one_hot = jax.nn.one_hot(t, p.shape[-1], dtype=p.dtype)
    return keras.losses.categorical_focal_crossentropy(one_hot, p, alpha=1.0, gamma=gamma, from_logits=True)


def _sparse(p: jax.Array, t: jax.Array, **_: Any) -> jax.Array:
    return keras.losses.sparse_categorical_crossentropy(t, p, from_logits=True)


LOGITS = "(from_logits=True)"
VERSIONS = [
    _keras("squared_error", "mean_squared_error"),
    _keras("absolute_error", "mean_absolute_error"),
    _keras("absolute_percentage_error", "mean_absolute_percentage_error", factor=0.01),
    _keras("squared_log_error", "mean_squared_logarithmic_error"),
    _keras("huber", "huber"),
    _keras(
        "log_cosh", "log_cosh", lambda p, t, scale: keras.losses.log_cosh(t, p), takes=lambda given: given["scale"] == 1
    ),
    _keras_vector("cosine_distance", "cosine_similarity", constant=lambda y, given: mpf(1)),
    _keras("binary_cross_entropy", "binary_crossentropy"),
    _keras(
        "logistic",
        "binary_crossentropy",
        lambda p, t, positive_weight, label_smoothing: keras.losses.binary_crossentropy(
            t, p, from_logits=True, label_smoothing=label_smoothing
        ),
        note=LOGITS,
        takes=lambda given: given["positive_weight"] == 1,
    ),
    _keras("hinge", "hinge"),
    _keras("squared_hinge", "squared_hinge"),
    _keras("focal", "binary_focal_crossentropy", _focal, note=LOGITS, hard=True),
    _keras_vector("categorical_cross_entropy", "categorical_crossentropy"),
    _keras_vector(
        "softmax_cross_entropy",
        "sparse_categorical_crossentropy",
        _sparse,
        note=LOGITS,
        takes=lambda given: given["label_smoothing"] == 0 and given["class_weights"] is None,
    ),
    _keras_vector(
        "softmax_cross_entropy_soft",
        "categorical_crossentropy",
        _swapped("categorical_crossentropy", from_logits=True),
        note=LOGITS,
    ),
    _keras_vector(
        "crammer_singer",
        "categorical_hinge",
        lambda p, t: keras.losses.categorical_hinge(jax.nn.one_hot(t, p.shape[-1], dtype=p.dtype), p),
        note=" of one-hot labels",
    ),
    _keras_vector(
        "generalized_cross_entropy",
        "categorical_generalized_cross_entropy",
        lambda p, t, q: keras.losses.categorical_generalized_cross_entropy(t, jax.nn.softmax(p), q),
        note=" of softmax",
        takes=lambda given: 0 < given["q"] < 1,
    ),
    _keras(
        "poisson",
        "poisson",
        lambda p, t, full: keras.losses.poisson(t, jax.numpy.exp(p)),
        note=" of exp",
        takes=lambda given: not given["full"],
    ),
    _keras_vector(
        "categorical_focal",
        "categorical_focal_crossentropy",
        _categorical_focal,
        note="(alpha=1, from_logits=True) of one-hot labels",
        takes=lambda given: given["class_weights"] is None,
    ),
    _keras_vector(
        "kl_divergence",
        "kl_divergence",
        lambda p, t: keras.losses.kl_divergence(t, jax.nn.softmax(p)),
        note=" of softmax",
    ),
]
