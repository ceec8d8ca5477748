"""A loss of a log mean (or of a log-odds and a number of successes) as a likelihood, up to terms of the target alone.

Each distribution has a shape: what the loss of target y costs more at x above its fit than at the fit. Its free
constants (a dispersion, a power) are read from the curvature at the fit, and the whole shape is then compared.
"""

import math
from collections.abc import Callable

import numpy as np

from ._subject import choose, jet, Subject


_TARGETS = np.array([1.0, 2.0, 0.5, 3.0, 8.0])[:, None]
_OFFSETS = np.arange(-24, 25)[None] / 8


def _poisson(bowl: np.ndarray) -> np.ndarray:
    return _TARGETS * (np.expm1(_OFFSETS) - _OFFSETS)


def _tweedie_at(bowl: np.ndarray, power: float) -> np.ndarray:
    grown = lambda rate: np.expm1(rate * _OFFSETS) / rate if rate else _OFFSETS  # noqa: E731
    return bowl[0] * _TARGETS ** (2 - power) * (grown(2 - power) - grown(1 - power))


def _tweedie(bowl: np.ndarray) -> np.ndarray:
    power = 2 - math.log2(bowl[1] / bowl[0])
    return _tweedie_at(bowl, power) if power < 1e-6 or power > 1 - 1e-6 else np.full((5, 49), np.nan)


def _negative_binomial(bowl: np.ndarray) -> np.ndarray:
    dispersion = 1 / bowl[0] - 1
    if dispersion < choose(1e-9, 1e-4):
        return _poisson(bowl) if dispersion > -1e-6 else np.full((5, 49), np.nan)
    ratio = np.log1p(dispersion * _TARGETS * np.expm1(_OFFSETS) / (1 + dispersion * _TARGETS))
    return (_TARGETS + 1 / dispersion) * ratio - _TARGETS * _OFFSETS


# What each distribution costs at every offset from the fit to every target, given the curvatures at the fits.
DISTRIBUTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "poisson": _poisson,
    "gamma": lambda bowl: _tweedie_at(bowl, 2.0),
    "inverse gaussian": lambda bowl: _tweedie_at(bowl, 3.0),
    "tweedie": _tweedie,
    "negative binomial": _negative_binomial,
}


def of_log_mean(what: Subject) -> tuple[str, ...]:
    """The names of all the distributions whose shape this is."""
    fits = np.log(_TARGETS)
    found = jet(what, (fits + _OFFSETS).ravel(), np.broadcast_to(_TARGETS, (5, 49)).ravel())
    value, curvature = found.value.reshape(5, 49), found.curvature.reshape(5, 49)
    cost, bowl = value - value[:, 24:25], curvature[:, 24]
    if not np.all(bowl > 0):
        return ()
    return tuple(name for name, shape in DISTRIBUTIONS.items() if _alike(shape(bowl), cost))


def of_successes(what: Subject) -> tuple[str, ...]:
    """Whether it is the likelihood of successes in `what.trials` trials, of which the logit is the log-odds."""
    trials, logits = what.trials, np.arange(-40, 41) / 4
    shares = np.array([0.0, 0.25, 0.5, 1.0])[:, None]
    found = jet(what, np.tile(logits, 4), np.repeat(trials * shares, 81, axis=1).ravel()).value.reshape(4, 81)
    likelihood = trials * (np.logaddexp(0, logits) - math.log(2) - shares * logits)
    if not _alike(likelihood, found - found[:, 40:41]):
        return ()
    return ("binomial", "bernoulli") if trials == 1 else ("binomial",)


def _alike(claimed: np.ndarray, cost: np.ndarray) -> bool:
    slack = choose(1e-8, 1e-3)
    return bool(np.allclose(claimed, cost, rtol=slack, atol=slack * np.abs(cost).max()))
