"""The one table of cases: every registered loss at several settings, its hyperparameters' limits included."""

import math
from typing import Any, NamedTuple

import numpy as np

from lossopt import losses


class Case(NamedTuple):
    """A registered loss and the hyperparameters bound in it."""

    name: str
    hyperparameters: dict[str, Any]

    @property
    def loss(self) -> losses.Loss:
        """The loss with everything bound, defaults too, so that all cases of one loss share a compilation."""
        fn = losses.get(self.name)
        given = {
            name: np.array(value) if isinstance(value, tuple) else value for name, value in self.hyperparameters.items()
        }
        return losses.bind(fn, **(losses.hyperparameters(fn) | given))

    @property
    def card(self) -> losses.LossCard:
        """The claims at these settings."""
        return losses.card(self.loss)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.hyperparameters.items())])


def _each(name: str, **settings: list[Any]) -> list[Case]:
    return [Case(name, {key: value}) for key, values in settings.items() for value in values]


SHAPES = [-math.inf, -2.0, 0.0, 1e-9, 1.0, 1.5, 2 - 1e-6, 2.0, 2 + 1e-6, 2.5, 4.0, math.inf]

CASES = [
    Case("squared_error", {}),
    Case("half_squared_error", {}),
    Case("absolute_error", {}),
    *_each("huber", delta=[1.0, 0.3, 1.345, 1e3, math.inf]),
    *_each("pseudo_huber", delta=[1.0, 0.3, 1e3]),
    *_each("log_cosh", scale=[1.0, 0.3, 1.2047]),
    *_each("quantile", level=[0.5, 0.1, 0.9]),
    *_each("expectile", level=[0.5, 0.1, 0.9]),
    Case("cauchy", {}),
    *_each("cauchy", c=[0.5, 10.0]),
    Case("tukey", {}),
    *_each("tukey", c=[1.0, 30.0]),
    *_each("general_robust", alpha=SHAPES),
    Case("general_robust", {"alpha": -0.5, "c": 0.3}),
    Case("general_robust", {"alpha": 0.5, "c": 20.0}),
    Case("binary_cross_entropy", {}),
    Case("logistic", {}),
    *_each("logistic", positive_weight=[3.0], label_smoothing=[0.1, 1.0]),
    Case("logistic", {"positive_weight": 0.5, "label_smoothing": 0.1}),
    Case("hinge", {}),
    Case("squared_hinge", {}),
    *_each("focal", gamma=[0.0, 0.5, 2.0, 5.0], alpha=[0.25, 0.5]),
    Case("categorical_cross_entropy", {}),
    Case("softmax_cross_entropy", {}),
    *_each("softmax_cross_entropy", label_smoothing=[0.1], class_weights=[(1.0, 2.0, 0.5), (3.0, 3.0, 3.0)]),
    Case("softmax_cross_entropy", {"label_smoothing": 0.1, "class_weights": (1.0, 2.0, 0.5)}),
    Case("softmax_cross_entropy_soft", {}),
]


def of(**kinds: str) -> list[Case]:
    """The cases whose cards have these fields, as `of(task="regression")`."""
    return [case for case in CASES if all(getattr(case.card, field) == kind for field, kind in kinds.items())]
