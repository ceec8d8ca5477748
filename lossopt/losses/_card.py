"""What is claimed about a loss. `properties` measures every claim, and the tests refuse a card that it contradicts."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from ._kinds import Growth, Interval, Prediction, Target, Task, VECTORS


Number = float | Callable[..., float | None] | None
Flag = bool | Callable[..., bool | None] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossCard:
    """The claims made about one loss.

    A number may be given as a function of the loss's hyperparameters; `card(loss)` returns the card with every such
    function evaluated. "Sup" is over predictions and targets; for a loss of a vector, slopes and curvatures are in the
    Euclidean norm; where the target is never 0, they and the residual are in units of it; the residual of a log mean
    is that of the logs. None makes no claim, and so does what cannot be evaluated in floats.

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
    def of_residual(self) -> bool:
        """Whether the loss is of prediction - target, two real numbers."""
        return (self.task, self.prediction, self.target) == ("regression", "real", "real")

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
        known = numbers(hyperparameters)
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values = {name: _evaluate(value, known) for name, value in fields.items()}
        return dataclasses.replace(self, **values)

    def claim(self, field: str, hyperparameters: Mapping[str, Any]) -> Any:
        """One claim, evaluated at the hyperparameters; the others are not looked at."""
        return _evaluate(getattr(self, field), numbers(hyperparameters))


def numbers(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters, with a Python number for an array of one."""
    return {name: _number(value) for name, value in hyperparameters.items()}


def _number(value: Any) -> Any:
    scalar = isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer)
    return value.item() if scalar and np.ndim(value) == 0 else value


def _evaluate(value: Any, hyperparameters: Mapping[str, Any]) -> Any:
    if not callable(value):
        return value
    try:
        # Of what is measured on the way nothing becomes part of a programme that is being traced.
        with jax.ensure_compile_time_eval():
            found = value(**{parameter.name: hyperparameters[parameter.name] for parameter in parameters(value)})
    except ArithmeticError:  # beyond what floats can hold, so that nobody can tell
        return None
    return None if isinstance(found, float) and math.isnan(found) else found


@functools.lru_cache(maxsize=1024)
def parameters(fn: Callable) -> tuple[inspect.Parameter, ...]:
    """Those of a function, which are asked for some tens of times in a fit."""
    return tuple(inspect.signature(fn).parameters.values())
