"""What is checked on the host before anything is compiled: the data against the loss and the model.

Traced values (inside jit or vmap) are passed through: they were checked outside, or cannot be.
"""

import numbers
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import data, losses, models


def checked(loss: losses.Loss, dataset: data.Dataset, model: models.Model, *, stored: bool = False) -> data.Dataset:
    """The data as validated arrays, once the loss, the model and the targets fit each other.

    `stored` leaves features that are on disk there.

    Raises:
        TypeError: the loss is not a function, or the model not a Model.
        ValueError: the data, the targets for this loss, or a hyperparameter are out of range.
    """
    check_loss(loss)
    dataset = data.validate(dataset, stored=stored)
    check_pair(loss, dataset, model)
    return dataset


def check_pair(loss: losses.Loss, dataset: data.Dataset, model: models.Model) -> None:
    """Raise as `checked` does unless the loss, the model and the targets of a validated data set fit each other."""
    if not isinstance(model, models.Model):
        raise TypeError(f"model={model!r}: use lossopt.models.linear, .logistic or .softmax(classes).")
    if losses.has_card(loss):
        _check_scores(loss, model)
        _check_targets(loss, dataset, model)
    elif model.classes is None and np.ndim(dataset.targets) != 1:
        raise ValueError(f"Targets of shape {np.shape(dataset.targets)} with a model of one score: give shape (n,).")


def check_output(loss: losses.Loss, dataset: data.Dataset, model: models.Model) -> None:
    """Raise unless a loss gives one floating number for an example: what `cost` asks as it is traced, asked before.

    Raises:
        ValueError: it gives something else.
        TypeError: JAX cannot trace it.
    """
    targets: Any = dataset.targets
    dtype = targets.dtype if jnp.issubdtype(targets.dtype, jnp.floating) else jnp.result_type(float)
    bound = losses.as_pytree(loss)
    example = (model.score_shape, dtype), (targets.shape[1:], targets.dtype)
    found = _output.eval_shape(bound, *(jax.ShapeDtypeStruct(*each) for each in example))
    losses.check_floating(loss, found)


@jax.jit
def _output(loss: losses.Loss, prediction: Any, target: Any) -> Any:
    # As a programme it is traced once, whatever the hyperparameters.
    return losses.one_number(loss)(prediction, target)


def check_loss(loss: Any, *, swept: bool = False) -> None:
    """Raise unless `loss` is callable and its concrete hyperparameters lie in their domains, each a single value unless
    the loss is to be swept."""
    losses.check_callable(loss)
    if losses.label(loss) == "batch_cost":
        raise TypeError(
            "loss is a cost, of a batch: pass the loss of one example, losses.squared_error for lossopt.mse."
        )
    if not losses.has_card(loss):
        return
    if not swept:
        losses.check_single(loss, "one fit takes one: give a number, or pass the loss to lossopt.sweep")
    losses.check_hyperparameters(loss, losses.hyperparameters(loss))


def check_penalties(*, swept: bool = False, **penalties: Any) -> None:
    """Raise unless each penalty is a number of at least 0 or, where it is swept over, a vector of some."""
    for name, value in penalties.items():
        if isinstance(value, jax.core.Tracer):
            continue
        try:
            found = np.array(np.nan) if isinstance(value, str) else np.asarray(value, float)
        except (TypeError, ValueError):
            found = np.array(np.nan)
        if found.ndim > int(swept):
            remedy = "a number, or a vector of numbers to sweep over" if swept else "a number, or use lossopt.sweep"
            raise ValueError(f"{name} has shape {found.shape}: give {remedy}.")
        if not np.all((found >= 0) & (found < np.inf)):
            raise ValueError(f"{name}={value!r}: the penalty must be a number of at least 0, and finite.")


def check_init(init: Any, dataset: data.Dataset, model: models.Model) -> models.Params:
    """The coefficients to start from, in the features' precision: zero if none are given.

    Raises:
        ValueError, TypeError: they are not a model's.
    """
    columns, dtype = dataset.features.shape[1], dataset.features.dtype
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    start = f"start from model.init({columns})"
    if init is None:
        return models.zeros(model, columns, dtype)
    if not isinstance(init, models.Params):
        hint = "pass its params" if hasattr(init, "params") else start
        raise TypeError(f"init is a {type(init).__name__}, not models.Params(weights, bias): {hint}.")
    expected = [(columns, *model.score_shape), model.score_shape if model.intercept else None]
    given = [None if leaf is None else np.shape(leaf) for leaf in init]
    if given != expected:
        raise ValueError(
            f"init has weights and bias of shapes {given[0]} and {given[1]}, but a {model.name} model of {columns} "
            f"features has {expected[0]} and {expected[1]}: {start}."
        )
    bias = None if init.bias is None else jnp.asarray(init.bias).astype(dtype)
    found = models.Params(jnp.asarray(init.weights).astype(dtype), bias)
    unseen = data.traced(found) or any(map(data.spread, found))
    if not unseen and not all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(found)):
        raise ValueError(f"init holds a coefficient that is no finite number in {dtype}: {start}.")
    return found


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number, of any integer type; ValueError if it is none, or less than `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name}={value!r}: give a whole number of at least {least}.")
    return int(value)


# What no model here predicts -> what to do.
_NO_SCORE = {
    "probability": "is of a probability, but a {model} model gives a raw score: use logistic",
    "probabilities": "is of probabilities, but a {model} model gives raw scores: use softmax_cross_entropy",
    "above -1": "is of a number above -1, but a {model} model gives any: fit squared_error to log1p of the targets",
}


_MEANING = {"location and log scale": "location and log scale (2)", "interval": "lower and upper end (2)"}


def _check_scores(loss: losses.Loss, model: models.Model) -> None:
    card = losses.claims(loss)
    if card.prediction in _NO_SCORE:
        raise ValueError(f"{card.name} {_NO_SCORE[card.prediction].format(model=model.name)}.")
    length = losses.length(loss)
    if card.prediction_ndim and (model.classes is None or length not in (None, model.classes)):
        given = "one score" if model.classes is None else f"{model.classes} scores"
        use = "softmax(classes)" if card.prediction == "logits" else f"multi_output({length or 'outputs'})"
        raise ValueError(
            f"{card.name} is of a vector of {_MEANING.get(card.prediction, card.prediction)}, but the "
            f"{model.name} model gives {given}: use model=lossopt.models.{use}, which gives one score an entry."
        )
    if not card.prediction_ndim and model.classes is not None:
        raise ValueError(
            f"{card.name} is of one number, but the {model.name} model gives {model.classes}: use models.linear, "
            "or another loss."
        )


# Targets that are looked at together.
_PART = 2**16


def _check_targets(loss: losses.Loss, dataset: data.Dataset, model: models.Model) -> None:
    if isinstance(dataset.targets, jax.core.Tracer):
        return
    card, kind, apart = losses.claims(loss), _target_kind(loss), data.spread(dataset.targets)
    targets: Any = dataset.targets if apart else np.asarray(dataset.targets)
    expected_ndim = 1 + card.target_ndim
    if targets.ndim != expected_ndim or (card.target_ndim and targets.shape[1] != model.classes):
        hint = _SHAPES.get(kind, "give shape (n,)")
        raise ValueError(
            f"{card.name} takes as target {losses.TARGETS[kind]}, but the targets have shape {targets.shape}: {hint}."
        )
    most = losses.hyperparameters(loss)["trials"] if kind == "successes" else model.classes
    if apart:
        # No process sees all rows: all are told the same.
        if bool(_illegal(kind, targets, most).any()):
            raise ValueError(f"{card.name} takes as target {losses.TARGETS[kind]}, but some rows hold another value.")
        return
    # By parts, so that the answers take no memory beside a long table's.
    parts = range(0, len(targets), _PART)
    rows = np.concatenate(
        [start + np.flatnonzero(_illegal(kind, targets[start : start + _PART], most)) for start in parts]
    )
    if rows.size:
        raise ValueError(
            f"{card.name} takes as target {losses.TARGETS[kind]}, but {rows.size} of {len(targets)} rows hold "
            f"another value, the first in row {rows[0]}: {targets[rows[0]]}; {_remedy(kind, targets)}."
        )


def _target_kind(loss: losses.Loss) -> str:
    """What the target holds; where that depends on a traced hyperparameter, the wider of what it may."""
    kind = losses.claims(loss).target
    if not callable(kind):
        return kind
    traced = any(isinstance(value, jax.core.Tracer) for value in losses.hyperparameters(loss).values())
    return "non-negative" if traced else losses.claim(loss, "target")


def _illegal(kind: str, targets: np.ndarray, classes: Any) -> np.ndarray:
    if kind == "successes":
        return (targets < 0) | (targets > (np.inf if isinstance(classes, jax.core.Tracer) else classes))
    if kind == "label":
        whole = np.full(targets.shape, np.issubdtype(targets.dtype, np.integer))
        return ~whole | (targets < 0) | (targets >= classes)
    if kind in _ILLEGAL:
        return _ILLEGAL[kind](targets)
    return np.zeros(len(targets), bool)


_ILLEGAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "non-zero": lambda y: y == 0,
    "non-negative": lambda y: y < 0,
    "positive": lambda y: y <= 0,
    "binary": lambda y: (y != 0) & (y != 1),
    "unit": lambda y: (y < 0) | (y > 1),
    "simplex": lambda y: np.any(y < 0, axis=1) | (np.abs(y.sum(axis=1) - 1) > 1e-3),
    "direction": lambda y: np.all(y == 0, axis=1),
}


def _remedy(kind: str, targets: np.ndarray) -> str:
    values = set(np.unique(targets)[:3].tolist())
    if kind in ("binary", "unit") and -1 in values and values <= {-1, 1}:
        return "map labels -1 and 1 to 0 and 1 with (targets + 1) / 2"
    if kind in ("binary", "unit") and values == {1, 2}:
        return "map labels 1 and 2 to 0 and 1 with targets - 1"
    if kind == "label" and not np.issubdtype(targets.dtype, np.integer):
        return "cast whole-number labels with .astype(int)"
    if kind == "label":
        return "number the classes from 0, and give the model as many classes"
    if kind in _REMEDIES:
        return _REMEDIES[kind]
    return "for other values use a regression loss"


_SHAPES = {
    "simplex": "one-hot encode integer labels with jax.nn.one_hot, or use softmax_cross_entropy",
    "direction": "give shape (n, k) for a model of k scores",
}

_REMEDIES = {
    "non-negative": "for negative values use a regression loss",
    "positive": "for amounts that are often 0 use tweedie with a power below 2, or poisson",
    "successes": "bind trials to the largest number that can occur, or use logistic with shares and weights",
    "simplex": "each row must be non-negative and sum to 1",
    "non-zero": "a share of 0 is not defined: leave those rows out, or use absolute_error",
    "direction": "the vector 0 has no direction: leave those rows out",
}
