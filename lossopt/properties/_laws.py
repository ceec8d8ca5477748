"""Losses that predict a distribution: which law they are the likelihood of, and at which law they are least.

A law is known by minus its log density, at location 0 and scale 1, up to a constant. Expectations are sums over
targets z = ±exp(pi/2 sinh u) at even u (Takahasi and Mori's double exponential rule), which reach into any tail.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ._subject import choose, jet, Subject


Energy = Callable[[np.ndarray, Mapping[str, Any]], np.ndarray]


def _student(z: np.ndarray, given: Mapping[str, Any]) -> np.ndarray:
    df = float(given.get("df", math.nan))
    return (df + 1) / 2 * np.log1p(z * z / df) if 0 < df < math.inf else np.full_like(z, np.nan)


LAWS: dict[str, Energy] = {
    "gaussian": lambda z, given: z * z / 2,
    "laplace": lambda z, given: np.abs(z),
    "logistic": lambda z, given: np.abs(z) + 2 * np.log1p(np.exp(-np.abs(z))),
    "student t": _student,
}

# Where the truth is put: no number at which anything is special.
LOCATION, LOG_SCALE = 0.7, 0.4
_STEPS = np.arange(-64, 65) / 16


def likelihoods(what: Subject, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The laws of which the loss is minus the log density, up to a constant."""
    random = np.random.default_rng(0)
    predictions = random.normal(size=(200, 2)) * [3.0, 1.0]
    targets = 3 * random.normal(size=200)
    found = jet(what, predictions, targets).value
    z = (targets - predictions[:, 0]) * np.exp(-predictions[:, 1])
    named = []
    for name, energy in LAWS.items():
        rest = found - predictions[:, 1] - energy(z, given)
        if np.ptp(rest) <= choose(1e-10, 1e-4) * np.abs(found).max():
            named.append(name)
    return tuple(named)


def named(laws: tuple[str, ...]) -> tuple[str, ...]:
    """What is elicited at each of the laws, as a card says it."""
    return tuple(f"location and log scale of a {law} law" for law in laws)


def at_home(what: Subject, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The laws at which the expected loss is least where the true location and log scale are predicted."""
    return tuple(name for name, energy in LAWS.items() if _least_at_truth(what, energy, given))


def _least_at_truth(what: Subject, energy: Energy, given: Mapping[str, Any]) -> bool:
    size = np.exp(np.pi / 2 * np.sinh(_STEPS))
    z = np.concatenate([-size, size])
    with np.errstate(over="ignore", invalid="ignore"):
        weights = np.exp(-energy(z, given)) * np.tile(size * np.cosh(_STEPS), 2)
    if not np.all(np.isfinite(weights)):
        return False
    kept = weights > weights.max() * 1e-30
    z, weights = z[kept], weights[kept] / weights.sum()
    truth = np.array([LOCATION, LOG_SCALE])
    others = truth + np.random.default_rng(0).normal(size=(24, 2)) * np.repeat([[0.05], [0.5]], 12, axis=0)
    places = np.concatenate([truth[None], others])
    targets = LOCATION + np.exp(LOG_SCALE) * z
    found = jet(what, np.repeat(places, len(z), axis=0), np.tile(targets, len(places)))
    risk = found.value.reshape(len(places), -1) @ weights
    slope = found.slope[: len(z)]
    level = np.abs(weights @ slope) / (weights @ np.abs(slope))
    return bool(np.all(level < choose(1e-6, 1e-3)) and np.all(risk[1:] > risk[0]))
