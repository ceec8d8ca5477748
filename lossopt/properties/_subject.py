"""A loss as a function on the host: value, slope and curvature of many examples in one compiled call.

Everything that is measured goes through `jet`, which compiles once a loss, whatever its hyperparameters.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import losses
from ..losses._derivatives import value_slope_curvature


DEFAULTS = {
    "regression": ("real", "real"),
    "binary": ("logit", "binary"),
    "multiclass": ("logits", "label"),
    "count": ("log mean", "non-negative"),
    "distribution": ("location and log scale", "real"),
}
# Examples in one compiled call: most measurements ask for fewer.
_BLOCK = 256


class Subject(NamedTuple):
    """What is measured: the loss, ready to call, and what its two arguments hold."""

    loss: Any
    name: str
    task: str
    prediction: str
    target: str
    classes: int
    trials: float = 1.0

    @property
    def of_vector(self) -> bool:
        """Whether one prediction is a vector."""
        return self.prediction in losses.VECTORS


class Jet(NamedTuple):
    """The loss of n examples with its first two derivatives: (n,), then (n,) and (n,) or (n, k) and (n, k, k)."""

    value: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


def subject(loss: losses.Loss, task: str | None, prediction: str | None, target: str | None, classes: int) -> Subject:
    """The loss with the kind of its arguments: as on its card, else as given, else the default of the task.

    Raises:
        ValueError: the task is unknown, or the loss does not give one floating number an example.
    """
    name = losses.label(loss)
    if losses.has_card(loss):
        card = losses.card(loss)
        given = losses.hyperparameters(loss)
        kind = losses.claim(loss, "target")
        trials = given["trials"] if kind == "successes" else 1.0
        found = Subject(_leaves(loss), name, card.task, card.prediction, kind, losses.length(loss) or classes, trials)
    else:
        task = task or "regression"
        if task not in DEFAULTS:
            raise ValueError(f"task={task!r} is none of {', '.join(DEFAULTS)}.{losses.nearest(task, DEFAULTS)}")
        usual = DEFAULTS[task]
        # Closed over, not traced: a user's function may branch on its hyperparameters in Python.
        whole = jax.tree_util.Partial(loss)
        found = Subject(whole, name, task, prediction or usual[0], target or usual[1], classes)
    _check_output(loss, found)
    return found


def top_target(what: Subject) -> float:
    """The target of a prediction of class 1: 1, or all of the trials."""
    return what.trials if what.target == "successes" else 1.0


def precision() -> np.dtype:
    """The widest float that JAX is set to use: float64 where x64 is enabled."""
    return np.dtype(jnp.result_type(float))


def choose(double: float, single: float) -> float:
    """A tolerance for float64 or for float32, whichever the measurement runs in."""
    return double if precision() == np.float64 else single


def jet(what: Subject, predictions: np.ndarray, targets: np.ndarray) -> Jet:
    """Value, slope and curvature at n predictions and targets, in blocks of one size so that one compilation serves."""
    predictions = np.asarray(predictions, precision())
    targets = np.asarray(targets, np.int32 if what.target == "label" else precision())
    rows = np.minimum(np.arange(-(-len(predictions) // _BLOCK) * _BLOCK), len(predictions) - 1)
    parts = [_block(what.loss, predictions[part], targets[part]) for part in rows.reshape(-1, _BLOCK)]
    return Jet(
        *(np.concatenate([np.asarray(x, float) for x in xs])[: len(predictions)] for xs in zip(*parts, strict=True))
    )


@jax.jit
def _block(loss: Any, predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    return jax.vmap(value_slope_curvature(loss))(predictions, targets)


def _leaves(loss: losses.Loss) -> Any:
    """A registered loss with every number, bound or default, as a leaf: all its settings share a compilation."""
    given, defaults = losses.hyperparameters(loss), losses.hyperparameters(losses.unbound(loss))
    fixed = {
        name: value
        for name, value in given.items()
        if isinstance(value, bool | str) or isinstance(defaults.get(name), int) or _opaque(value)  # a flag, an index
    }
    numbers = {
        name: jax.tree.map(lambda leaf: np.asarray(leaf, precision()), value)
        for name, value in given.items()
        if name not in fixed
    }
    fn = losses.unbound(loss)
    return jax.tree_util.Partial(functools.partial(fn, **fixed) if fixed else fn, **numbers)


def _opaque(value: Any) -> bool:
    return callable(value) and not isinstance(value, jax.tree_util.Partial)


def _check_output(loss: losses.Loss, what: Subject) -> None:
    shape = (what.classes,) if what.of_vector else ()
    other = (what.classes,) if what.target in ("simplex", "direction") else ()
    kind = np.int32 if what.target == "label" else precision()
    example = jax.ShapeDtypeStruct(shape, precision()), jax.ShapeDtypeStruct(other, kind)
    losses.check_floating(loss, jax.eval_shape(losses.one_number(loss), *example))
