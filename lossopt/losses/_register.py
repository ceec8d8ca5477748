"""The register that finds a loss and its card by name, and what is known of a loss, bound or not.

A loss is a plain function of one example; its card lies beside it and only records claims.
"""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from ._card import LossCard, numbers, parameters
from ._kinds import Task, VECTORS


F = TypeVar("F", bound=Callable)
Loss = Callable[..., jax.Array]

_REGISTRY: dict[str, Callable] = {}
_CARDS: dict[Callable, LossCard] = {}

# Transforms -> the card of their result, from the transform's hyperparameters, the loss inside among them.
_DERIVED: dict[Callable, Callable[..., LossCard]] = {}


def register(card: LossCard) -> Callable[[F], F]:
    """Decorator: put a loss and its card on the register, and return the loss itself, unwrapped."""

    def put(fn: F) -> F:
        name = fn.__name__
        if name in _REGISTRY:
            raise ValueError(f"A loss called {name!r} is already registered; choose another name.")
        _REGISTRY[name], _CARDS[fn] = fn, dataclasses.replace(card, name=name)
        return fn

    return put


def derive(build: Callable[..., LossCard]) -> Callable[[F], F]:
    """Decorator of what a transform returns, bound: `build(**hyperparameters)` is its card."""

    def put(fn: F) -> F:
        _DERIVED[fn] = build
        return fn

    return put


def parts(loss: Loss) -> list[Loss]:
    """The losses inside a transformed loss; none in any other."""
    if unbound(loss) not in _DERIVED:
        return []
    values = hyperparameters(loss).values()
    return [part for value in values for part in (value if isinstance(value, tuple) else (value,)) if callable(part)]


def names(task: Task | None = None) -> tuple[str, ...]:
    """The names of the registered losses, those of one task if `task` is given, in the order of the catalogue."""
    return tuple(name for name, fn in _REGISTRY.items() if task in (None, _CARDS[fn].task))


def get(name: str) -> Loss:
    """The registered loss called `name`; ValueError naming the nearest match if there is none."""
    if name not in _REGISTRY:
        raise ValueError(
            f"There is no loss called {name!r}.{nearest(name, _REGISTRY)} lossopt.losses.names() lists them."
        )
    return _REGISTRY[name]


def nearest(name: str, known: Any) -> str:
    """`" Did you mean 'huber'?"`, or nothing where no known name is near."""
    match = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" Did you mean {match[0]!r}?" if match else ""


def has_card(loss: Loss) -> bool:
    """Whether claims about this loss, bound or not, are on the register, or follow from those about its parts."""
    fn = unbound(loss)
    if fn in _DERIVED:
        return all(has_card(part) for part in parts(loss))
    return fn in _CARDS


def card(loss: Loss) -> LossCard:
    """The card of a registered loss, its constants evaluated at the bound (or default) hyperparameters.

    Raises:
        ValueError: the loss has no card; `lossopt.check` measures one.
    """
    return claims(loss).at(hyperparameters(loss))


def claim(loss: Loss, field: str) -> Any:
    """One field of the card of a loss, evaluated at its hyperparameters; the others are not looked at."""
    return claims(loss).claim(field, hyperparameters(loss))


def claims(loss: Loss) -> LossCard:
    """The card of a registered loss as written: what depends on hyperparameters is still a function of them.

    Raises:
        ValueError: the loss has no card.
    """
    fn = unbound(loss)
    if fn in _DERIVED and has_card(loss):
        return _DERIVED[fn](**numbers(hyperparameters(loss)))
    if fn not in _CARDS:
        raise ValueError(f"{label(loss)} has no card: lossopt.check(loss, task=...) measures its properties.")
    return _CARDS[fn]


def constant_curvature(loss: Loss) -> float | None:
    """The a of a loss that is a r²/2 whatever its hyperparameters, as far as its card says so; else None."""
    return _parabola(functools.partial(getattr, claims(loss))) if has_card(loss) else None


def quadratic(loss: Loss) -> bool:
    """Whether a loss is a r²/2 for some a at its hyperparameters, as far as its card and what is not traced say so."""
    known = has_card(loss) and not _traced(hyperparameters(loss))
    return known and _parabola(functools.partial(claim, loss)) is not None


def _traced(value: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value))


def _parabola(claimed: Callable[[str], Any]) -> float | None:
    largest, least = claimed("smoothness"), claimed("least_curvature")
    # One with a line in it has its least value elsewhere.
    centred = claimed("of_residual") and claimed("symmetric") is True and claimed("zero_at_perfect_fit") is True
    return largest if centred and isinstance(largest, float) and 0 < largest == least else None


def unbound(loss: Loss) -> Callable:
    """The function whose hyperparameters `bind` or `functools.partial` fixed, else the loss itself."""
    return getattr(loss, "func", loss)


def label(loss: Loss) -> str:
    """What a person calls the loss: the name of its function."""
    fn = unbound(loss)
    return getattr(fn, "__name__", repr(fn)).lstrip("_")


def as_pytree(loss: Loss) -> jax.tree_util.Partial:
    """The loss as a pytree whose leaves are what `bind` fixed, so that one programme serves all values."""
    return loss if isinstance(loss, jax.tree_util.Partial) else jax.tree_util.Partial(loss)


def length(loss: Loss) -> int | None:
    """How many numbers one prediction of a loss with a card holds; None where it is no vector, or of any length."""
    kind, values = claims(loss).prediction, hyperparameters(loss)
    if kind == "quantiles" and (inside := parts(loss)):
        return length(inside[0])
    if kind == "quantiles":
        return len(values["levels"]) if "levels" in values else 2 * len(values["coverages"]) + 1
    return VECTORS.get(kind)


def keywords(loss: Loss) -> list[str]:
    """The names of the hyperparameters of a loss, bound or not, those without a default included."""
    return [p.name for p in parameters(unbound(loss)) if p.kind is p.KEYWORD_ONLY]


def hyperparameters(loss: Loss) -> dict[str, Any]:
    """The keyword-only arguments of a loss with the values that it will use: those bound, else the defaults."""
    of_keyword = (p for p in parameters(unbound(loss)) if p.kind is p.KEYWORD_ONLY and p.default is not p.empty)
    defaults = {p.name: p.default for p in of_keyword}
    return defaults | dict(getattr(loss, "keywords", {}))


def several(loss: Loss, name: str, value: Any) -> bool:
    """Whether a value of a hyperparameter is an array of several, one axis more than the hyperparameter has."""
    default = hyperparameters(unbound(loss)).get(name)
    if callable(value) or isinstance(value, str) or value is None:
        return False
    if isinstance(value, tuple) and (default is None or any(map(callable, value))):
        return False
    return np.ndim(value) == 1 + (0 if default is None else np.ndim(default))


def check_single(loss: Loss, use: str) -> None:
    """Raise ValueError, ending with `use`, if a hyperparameter of the loss or of one inside has several values."""
    for name, value in hyperparameters(loss).items():
        if several(loss, name, value):
            raise ValueError(f"{name} of {label(loss)} has shape {np.shape(value)}, and {use}.")
    for part in parts(loss):
        check_single(part, use)


def check_callable(loss: Any) -> None:
    """Raise TypeError, with what to pass instead, unless this can be called as a loss."""
    if isinstance(loss, str):
        use = f"lossopt.losses.{loss}" if loss in names() else "a function from lossopt.losses"
        raise TypeError(f"loss={loss!r} is a name: pass {use}, or lossopt.losses.get({loss!r}).")
    if not callable(loss):
        raise TypeError(f"loss={loss!r} is not a function of (prediction, target).")


def bind(loss: Loss, /, **hyperparameters: Any) -> jax.tree_util.Partial:
    """Fix hyperparameters of a loss.

    The result is a pytree whose leaves are the values, so a jitted function that takes a
    bound loss is compiled once for all values, and `vmap` runs over an array of them.

    Raises:
        TypeError: the loss has no such hyperparameter.
        ValueError: a value lies outside its domain (registered losses; traced values are not checked).
    """
    fn = unbound(loss)
    _check_names(fn, hyperparameters)
    values = {name: _plain(value) for name, value in hyperparameters.items()}
    bound = jax.tree_util.Partial(fn, *getattr(loss, "args", ()), **(dict(getattr(loss, "keywords", {})) | values))
    check_hyperparameters(bound, values)
    return bound


def check_hyperparameters(loss: Loss, values: Mapping[str, Any]) -> None:
    """Raise ValueError where a concrete value lies outside the domain on the card."""
    if not has_card(loss):
        return
    for name, domain in claims(loss).hyperparameters.items():
        value = values.get(name)
        if value is None or _traced(value):
            continue
        if not domain.contains(value):
            raise ValueError(
                f"{claims(loss).name} needs {name} in {domain}, but {name}={value!r}; choose a value inside."
            )


def _plain(value: Any) -> Any:
    # A NumPy scalar is strongly typed and would turn float32 losses into float64; a Python number is not.
    return value.item() if isinstance(value, np.generic) else value


def _check_names(fn: Callable, given: Mapping[str, Any]) -> None:
    if any(p.kind is p.VAR_KEYWORD for p in parameters(fn)):
        return
    known = keywords(fn)
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise TypeError(f"{fn.__name__} has no hyperparameter {name!r} (it has: {listed}).{nearest(name, known)}")
