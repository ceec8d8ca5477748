"""optax.losses: element-wise functions of (prediction, target); labels of ±1 where the loss is one of a margin."""

from typing import Any

import jax
import optax

from ._version import by_jax, Call, Version


def _optax(loss: str, name: str, call: Call | None = None, *, note: str = "", **more: Any) -> Version:
    call = call or getattr(optax.losses, name)
    return Version(loss, f"optax.losses.{name}{note}", call, by_jax(call), **more)


def _signed(name: str) -> Call:
    fn = getattr(optax.losses, name)
    return lambda p, t: fn(p, 2 * t - 1)


def _sparsemax(p: jax.Array, t: jax.Array) -> jax.Array:
    """It takes batches alone."""
    fn = optax.losses.multiclass_sparsemax_loss
    return fn(p, t) if jax.numpy.ndim(p) > 1 else fn(p[None], t[None])[0]


def _one_hot(t: jax.Array, p: jax.Array) -> jax.Array:
    return jax.nn.one_hot(t, p.shape[-1], dtype=p.dtype)


VERSIONS = [
    _optax("squared_error", "squared_error"),
    _optax("half_squared_error", "l2_loss"),
    _optax("huber", "huber_loss"),
    _optax(
        "log_cosh", "log_cosh", lambda p, t, scale: optax.losses.log_cosh(p, t), takes=lambda given: given["scale"] == 1
    ),
    _optax("cosine_distance", "cosine_distance"),
    _optax(
        "logistic",
        "sigmoid_binary_cross_entropy",
        lambda p, t, **_: optax.losses.sigmoid_binary_cross_entropy(p, t),
        takes=lambda given: given["positive_weight"] == 1 and given["label_smoothing"] == 0,
    ),
    _optax("focal", "sigmoid_focal_loss", hard=True),
    _optax("hinge", "hinge_loss", _signed("hinge_loss")),
    _optax("perceptron", "perceptron_loss", _signed("perceptron_loss")),
    _optax(
        "softmax_cross_entropy",
        "softmax_cross_entropy_with_integer_labels",
        lambda p, t, **_: optax.losses.softmax_cross_entropy_with_integer_labels(p, t),
        takes=lambda given: given["label_smoothing"] == 0 and given["class_weights"] is None,
    ),
    _optax("softmax_cross_entropy_soft", "softmax_cross_entropy"),
    _optax("softmax_cross_entropy_soft", "safe_softmax_cross_entropy"),
    _optax("crammer_singer", "multiclass_hinge_loss"),
    _optax("multiclass_perceptron", "multiclass_perceptron_loss"),
    _optax("sparsemax", "multiclass_sparsemax_loss", _sparsemax),
    _optax(
        "poly1",
        "poly_loss_cross_entropy",
        lambda p, t, epsilon: optax.losses.poly_loss_cross_entropy(p, _one_hot(t, p), epsilon=epsilon),
        note=" of one-hot labels",
    ),
    _optax("kl_divergence", "kl_divergence", lambda p, t: optax.losses.kl_divergence(jax.nn.log_softmax(p), t)),
]
