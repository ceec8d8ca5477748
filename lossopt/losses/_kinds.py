"""What the arguments of a loss may hold, and the numbers that a hyperparameter may take."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np


Task = Literal["regression", "binary", "multiclass", "count", "distribution"]
Prediction = Literal[
    "real", "above -1", "logit", "probability", "log mean",
    "logits", "probabilities", "vector", "quantiles", "location and log scale", "interval",
]  # fmt: skip
Target = Literal[
    "real", "non-zero", "non-negative", "positive", "binary", "unit", "successes", "label", "simplex", "direction"
]  # fmt: skip
Growth = Literal["exponential", "power", "quadratic", "linear", "logarithmic", "constant"]

TARGETS: Mapping[str, str] = {
    "real": "a real number",
    "non-zero": "a real number other than 0",
    "non-negative": "a number of at least 0",
    "positive": "a number above 0",
    "binary": "0 or 1",
    "unit": "a number in [0, 1]",
    "successes": "a number of successes in [0, trials]",
    "label": "an integer class label in [0, k)",
    "simplex": "a vector of k probabilities",
    "direction": "a vector as long as the prediction, not all 0",
}

# Predictions that are vectors -> their length; None where it is that of the classes, levels or entries.
VECTORS: Mapping[str, int | None] = {
    "logits": None,
    "probabilities": None,
    "vector": None,
    "quantiles": None,
    "location and log scale": 2,
    "interval": 2,
}


class Interval(NamedTuple):
    """The numbers a hyperparameter may take; `closed` says which ends belong to them."""

    low: float = -math.inf
    high: float = math.inf
    closed: tuple[bool, bool] = (True, True)

    def contains(self, value: Any) -> bool:
        """Whether every element of `value` is a number inside."""
        try:
            value = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            return False
        above = value >= self.low if self.closed[0] else value > self.low
        below = value <= self.high if self.closed[1] else value < self.high
        return bool(np.all(above & below))

    def __str__(self) -> str:
        left, right = "(["[self.closed[0]], ")]"[self.closed[1]]
        return f"{left}{self.low:g}, {self.high:g}{right}"


POSITIVE = Interval(0.0, math.inf, (False, True))
POSITIVE_FINITE = Interval(0.0, math.inf, (False, False))
NON_NEGATIVE_FINITE = Interval(0.0, math.inf, (True, False))
UNIT_OPEN = Interval(0.0, 1.0, (False, False))
UNIT = Interval(0.0, 1.0)
ANY = Interval()
ANY_FINITE = Interval(closed=(False, False))
