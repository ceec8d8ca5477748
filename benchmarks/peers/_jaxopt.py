"""jaxopt.loss: functions of one example, (target, prediction)."""

from typing import Any

import jax
import jaxopt

from ._version import by_jax, Call, Settings, Version


# What it has no word for, with the value at which that changes nothing.
NEUTRAL = {"positive_weight": 1.0, "label_smoothing": 0.0, "class_weights": None}


def _jaxopt(loss: str, name: str, *, hard: bool = False) -> Version:
    fn = getattr(jaxopt.loss, name)

    def one(p: Any, t: Any, **given: Any) -> jax.Array:
        return fn(t, p, **{key: value for key, value in given.items() if key not in NEUTRAL})

    return Version(loss, f"jaxopt.loss.{name}", _batched(one), by_jax(one), takes=_takes, hard=hard)


def _takes(given: Settings) -> bool:
    return all(given[name] == value for name, value in NEUTRAL.items() if name in given)


def _batched(one: Call) -> Call:
    return lambda p, t, **given: jax.vmap(lambda a, b: one(a, b, **given))(p, t)


VERSIONS = [
    _jaxopt("huber", "huber_loss"),
    _jaxopt("logistic", "binary_logistic_loss", hard=True),
    _jaxopt("hinge", "binary_hinge_loss"),
    _jaxopt("perceptron", "binary_perceptron_loss"),
    _jaxopt("softmax_cross_entropy", "multiclass_logistic_loss"),
    _jaxopt("sparsemax", "multiclass_sparsemax_loss"),
    _jaxopt("crammer_singer", "multiclass_hinge_loss"),
    _jaxopt("multiclass_perceptron", "multiclass_perceptron_loss"),
]
