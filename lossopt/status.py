"""How a fit ended: a value that crosses jit and vmap, with a sentence of advice."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int


_MEANINGS = (
    ("converged", "The minimum is reached to the tolerance asked for."),
    ("out of steps", "The gradient is still above the tolerance: take more steps, or a better step size."),
    ("diverged", "The cost grew, or left the finite numbers: lower the step size, or rescale the features."),
    (
        "no finite minimiser",
        "The cost falls for ever along a direction (separable classes, say): add l2 > 0, or report the separation.",
    ),
    (
        "local minimum",
        "The loss is not convex: this is a stationary point near the start, and another start may find a lower one.",
    ),
    (
        "minimum norm",
        "The features are linearly dependent: of all minimisers, that with the smallest weights is given.",
    ),
    (
        "stalled",
        "No step lowers the cost any further, yet a minimum is not certain: rescale, use float64, or add l2 > 0.",
    ),
    (
        "not unique",
        "Several coefficients reach the minimum, and one of them is given: only the cost is to be compared.",
    ),
)


class _Coded(NamedTuple):
    code: Int[Array, "*fits"]


class Status(_Coded):
    """The outcome of one fit, or of many at once (then `code` is an array).

    `str(status)` is the name and `status.advice` the sentence; `status.code == Status.DIVERGED` picks out fits.
    """

    __slots__ = ()

    CONVERGED, OUT_OF_STEPS, DIVERGED, NO_FINITE_MINIMISER, LOCAL_MINIMUM, MINIMUM_NORM, STALLED, NOT_UNIQUE = range(8)

    @property
    def name(self) -> str:
        """What happened, in a word or three; of many fits, how often each outcome occurred."""
        codes = np.asarray(self.code)
        if codes.ndim == 0:
            return _MEANINGS[int(codes)][0]
        values, counts = np.unique(codes, return_counts=True)
        return ", ".join(f"{count} {_MEANINGS[value][0]}" for value, count in zip(values, counts, strict=True))

    @property
    def advice(self) -> str:
        """What it means and what to do next; of many fits, one sentence for each outcome that occurred."""
        return " ".join(_MEANINGS[code][1] for code in np.unique(np.asarray(self.code)))

    @property
    def good(self) -> bool:
        """Whether every fit ended at a minimum."""
        return bool(np.all(np.isin(np.asarray(self.code), GOOD)))

    def __str__(self) -> str:
        return self.name

    def raise_if_bad(self) -> None:
        """Raise RuntimeError with the advice unless every fit ended at a minimum; ValueError where that is unknown."""
        if isinstance(self.code, jax.core.Tracer):
            raise ValueError(
                "throw: the status cannot be looked at inside jax.jit, jax.vmap or another transformation; leave throw "
                "out and look at .status of what comes back."
            )
        if not self.good:
            raise RuntimeError(f"{self.name}: {self.advice}")


# What is a minimum.
GOOD = (Status.CONVERGED, Status.LOCAL_MINIMUM, Status.MINIMUM_NORM, Status.NOT_UNIQUE)
