"""What is claimed about a loss, kept beside the loss, and the registry that finds both by name.

A loss is a plain function of one example. A `LossCard` only records claims; `properties.py`
measures every one of them, and the tests refuse a card that the measurement contradicts.
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from ._kinds import Growth, Interval, Prediction, Target, Task, VECTORS


F = TypeVar("F", bound=Callable)
Loss = Callable[..., jax.Array]
Number = float | Callable[..., float | None] | None
Flag = bool | Callable[..., bool | None] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossCard:
    """The claims made about one loss.

    A number may be given as a function of the loss's hyperparameters; `card(loss)` returns the card with every such
    function evaluated. "Sup" is over predictions and targets; for a loss of a vector, slopes and curvatures are in the
    Euclidean norm; where the target is never 0, they and the residual are in units of it; the residual of a log mean
    is that of the logs. None makes no claim.

    Attributes:
        task: what kind of target the loss is for.
        formula: LaTeX: r = prediction - target, s a logit or log mean, t a log scale, m the margin,
            z logits, p and q probabilities.
        prediction, target: what the two arguments hold.
        hyperparameters: the domain of each; its default is in the signature.
        kinks: residuals (margins for a binary loss) at which the slope jumps.
        lipschitz: sup |slope|, inf where there is none.
        smoothness: sup curvature, inf at a convex kink.
        least_curvature: inf curvature: negative for a non-convex loss, -inf at a concave kink.
        supremum: sup of the loss, inf where it is unbounded.
        non_negative: never below 0.
        redescending: the slope returns to zero in both tails.
        symmetric: loss(r) = loss(-r); for a binary loss, exchanging the classes with the sign of s changes nothing.
        origin: the power of |r| that the loss follows at a perfect fit; None where it has no such point.
        tails: the fastest growth of the loss in its argument.
        zero_at_perfect_fit: exactly 0 when the prediction states the target.
        elicits: the property of the target's distribution that the best constant prediction reports.
        proper: the minimiser of the expected loss is the true probability, or the true location and log scale.
        calibrated: the sign, or arg max, of that minimiser is the likelier class (classification only).
        noise_symmetric: loss(s, 0) + loss(s, 1) is constant, so symmetric label noise moves no minimiser.
        efficiency: asymptotic efficiency at Gaussian noise of unit scale (regression only).
        noise: the distribution whose negative log likelihood this is, up to a constant (a count: up to terms of it).
        aliases: the same loss elsewhere -> the factor f in `ours = f * theirs`, at equal hyperparameters.
        reference: author and year.
    """

    task: Task
    formula: str
    prediction: Prediction
    target: Target | Callable[..., Target]
    hyperparameters: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    kinks: tuple[float, ...] | Callable[..., tuple[float, ...] | None] | None = ()
    lipschitz: Number = math.inf
    smoothness: Number = math.inf
    least_curvature: Number = 0.0
    supremum: Number = math.inf
    non_negative: Flag = True
    redescending: Flag = False
    symmetric: Flag = True
    origin: Number = None
    tails: Growth | Callable[..., Growth | None] | None = "linear"
    zero_at_perfect_fit: Flag = True
    elicits: str | Callable[..., str | None] | None = None
    proper: Flag = None
    calibrated: Flag = None
    noise_symmetric: Flag = None
    efficiency: Number = None
    noise: str | Callable[..., str | None] | None = None
    aliases: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reference: str = ""
    name: str = ""

    @property
    def convex(self) -> bool | None:
        """Whether the loss is convex in the prediction: its curvature is nowhere negative. None where not claimed."""
        least = self._of("least_curvature")
        return None if least is None else least >= 0

    @property
    def bounded(self) -> bool | None:
        """Whether no single example can cost more than a constant. None where not claimed."""
        supremum = self._of("supremum")
        return None if supremum is None else math.isfinite(supremum)

    @property
    def differentiable(self) -> bool | None:
        """Whether the slope is continuous everywhere. None where not claimed."""
        return None if self.kinks is None else not self.kinks

    @property
    def prediction_ndim(self) -> int:
        """Axes of one prediction: 1 where it is a vector, else 0."""
        return int(self.prediction in VECTORS)

    @property
    def target_ndim(self) -> int:
        """Axes of one target: 1 where it is a vector, else 0."""
        return int(self.target in ("simplex", "direction"))

    def _of(self, field: str) -> float | None:
        value = getattr(self, field)
        if callable(value):
            raise TypeError(f"{field} depends on the hyperparameters: read it from lossopt.card(loss).")
        return value

    def at(self, hyperparameters: Mapping[str, Any]) -> "LossCard":
        """The card with every function of the hyperparameters evaluated."""
        known = {name: _number(value) for name, value in hyperparameters.items()}
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values = {name: _evaluate(value, known) for name, value in fields.items()}
        return dataclasses.replace(self, **values)


def _number(value: Any) -> Any:
    scalar = isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer)
    return value.item() if scalar and np.ndim(value) == 0 else value


def _evaluate(value: Any, hyperparameters: Mapping[str, Any]) -> Any:
    if not callable(value):
        return value
    wanted = inspect.signature(value).parameters
    return value(**{name: hyperparameters[name] for name in wanted})


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
    if _function(loss) not in _DERIVED:
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
    fn = _function(loss)
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
    return _evaluate(getattr(claims(loss), field), {k: _number(v) for k, v in hyperparameters(loss).items()})


def claims(loss: Loss) -> LossCard:
    """The card of a registered loss as written: what depends on hyperparameters is still a function of them.

    Raises:
        ValueError: the loss has no card.
    """
    fn = _function(loss)
    if fn in _DERIVED and has_card(loss):
        return _DERIVED[fn](**{name: _number(value) for name, value in hyperparameters(loss).items()})
    if fn not in _CARDS:
        label = getattr(fn, "__name__", repr(fn))
        raise ValueError(f"{label} has no card: lossopt.check(loss, task=...) measures its properties.")
    return _CARDS[fn]


def hyperparameters(loss: Loss) -> dict[str, Any]:
    """The keyword-only arguments of a loss with the values that it will use: those bound, else the defaults."""
    parameters = inspect.signature(_function(loss)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
    return defaults | dict(getattr(loss, "keywords", {}))


def bind(loss: Loss, **hyperparameters: Any) -> jax.tree_util.Partial:
    """Fix hyperparameters of a loss.

    The result is a pytree whose leaves are the values, so a jitted function that takes a
    bound loss is compiled once for all values, and `vmap` runs over an array of them.

    Raises:
        TypeError: the loss has no such hyperparameter.
        ValueError: a value lies outside its domain (registered losses; traced values are not checked).
    """
    fn = _function(loss)
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
        if value is None or any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
            continue
        if not domain.contains(value):
            raise ValueError(
                f"{claims(loss).name} needs {name} in {domain}, but {name}={value}; choose a value inside."
            )


def _function(loss: Loss) -> Callable:
    return getattr(loss, "func", loss)


def _plain(value: Any) -> Any:
    # A NumPy scalar is strongly typed and would turn float32 losses into float64; a Python number is not.
    return value.item() if isinstance(value, np.generic) else value


def _check_names(fn: Callable, given: Mapping[str, Any]) -> None:
    parameters = inspect.signature(fn).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise TypeError(f"{fn.__name__} has no hyperparameter {name!r} (it has: {listed}).{nearest(name, known)}")
