"""The properties of a target's distribution that a loss may elicit, each computed from a sample.

A functional is given the sample and the numbers bound in the loss: a level, say. One that needs a number which is not
there explains nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ._subject import choose, Subject


# A number, or for a loss of a vector the vector.
Point = Any
Functional = Callable[[np.ndarray, Mapping[str, Any]], Point]

# Prime sizes, so that no usual level falls between two points and every quantile is one point.
_STEPS = [(np.arange(n) + 0.5) / n for n in (41, 23)]
_REAL = [0.4 - 1.3 * np.log1p(-_STEPS[0]), 5.0 + 1.7 * np.log(_STEPS[1]) * _STEPS[1][::-1]]


def samples(what: Subject) -> list[np.ndarray]:
    """Two skewed samples of legal targets: (n,), or (n, k) for targets that are vectors."""
    if what.target in ("non-negative", "positive"):
        return [_REAL[0], np.exp(_REAL[1] / 3)]
    if what.target == "direction":
        return [np.stack([np.roll(sample, 5 * i) - i for i in range(what.classes)], axis=1) for sample in _REAL]
    return _REAL


def _quantile(sample: np.ndarray, level: float) -> float:
    """The least point with at least that share of the sample at or below it."""
    return float(np.sort(sample)[int(np.ceil(level * len(sample))) - 1])


def _expectile(sample: np.ndarray, level: float) -> float:
    """The point about which the squared distances, weighed by level above and 1 - level below, are least."""
    centre = sample.mean()
    for _ in range(100):
        weights = np.where(sample > centre, level, 1 - level)
        centre = weights @ sample / weights.sum()
    return float(centre)


def _smoothed_quantile(sample: np.ndarray, level: float, bandwidth: float) -> float:
    """The quantile of a point of the sample with logistic noise of scale `bandwidth` added."""
    reach = 50 * bandwidth + 1
    low, high = sample.min() - reach, sample.max() + reach
    for _ in range(100):
        middle = (low + high) / 2
        below = np.mean(0.5 + 0.5 * np.tanh((middle - sample) / (2 * bandwidth)))
        low, high = (middle, high) if below < level else (low, middle)
    return float(middle)


def _weighted_median(sample: np.ndarray) -> float:
    """The median after every point is weighed by the inverse of its size."""
    points = np.sort(sample)
    share = np.cumsum(1 / np.abs(points)) / np.sum(1 / np.abs(points))
    return float(points[np.searchsorted(share, 0.5)])


def _median_and_deviation(sample: np.ndarray) -> np.ndarray:
    centre = np.median(sample)
    return np.array([centre, np.log(np.mean(np.abs(sample - centre)))])


def _central(sample: np.ndarray, coverages: Any) -> np.ndarray:
    """The quantiles that bound the middle of a sample at each coverage, widest first, with the median between."""
    inner = np.sort(np.asarray(coverages, float))
    levels = [*(1 - inner[::-1]) / 2, 0.5, *(1 + inner) / 2]
    return np.array([_quantile(sample, level) for level in levels])


def _mean_direction(sample: np.ndarray) -> np.ndarray:
    """The mean of the unit vectors, made one."""
    mean = (sample / np.linalg.norm(sample, axis=-1, keepdims=True)).mean(axis=0)
    return mean / np.linalg.norm(mean)


FUNCTIONALS: dict[str, Functional] = {
    "mean": lambda sample, given: sample.mean(),
    "median": lambda sample, given: np.median(sample),
    "quantile": lambda sample, given: _quantile(sample, given["level"]),
    "expectile": lambda sample, given: _expectile(sample, given["level"]),
    "smoothed quantile": lambda sample, given: _smoothed_quantile(sample, given["level"], given["bandwidth"]),
    "exponential mean": lambda sample, given: -np.log(np.mean(np.exp(-given["a"] * sample))) / given["a"],
    "log1p mean": lambda sample, given: np.expm1(np.log1p(sample).mean()),
    "weighted median": lambda sample, given: _weighted_median(sample),
    "quantiles": lambda sample, given: np.array([_quantile(sample, level) for level in np.asarray(given["levels"])]),
}
AMOUNTS: dict[str, Functional] = {"log of the mean": lambda sample, given: np.log(sample.mean())}
LOCATED: dict[str, Functional] = {
    "mean and log standard deviation": lambda sample, given: np.array([sample.mean(), np.log(sample.std())]),
    "median and log mean deviation": lambda sample, given: _median_and_deviation(sample),
}
INTERVALS: dict[str, Functional] = {
    "central interval": lambda sample, given: _central(sample, [given["coverage"]])[::2],
    "median and central intervals": lambda sample, given: _central(sample, given["coverages"]),
}
DIRECTIONS: dict[str, Functional] = {"mean direction": lambda sample, given: _mean_direction(sample)}


def _known(what: Subject) -> dict[str, Functional]:
    kinds = {"location and log scale": LOCATED, "log mean": AMOUNTS, "interval": INTERVALS}
    if what.task == "distribution" and what.prediction == "quantiles":
        return INTERVALS
    return DIRECTIONS if what.target == "direction" else kinds.get(what.prediction, FUNCTIONALS)


def explains(name: str, what: Subject, minimisers: Sequence[Point], given: Mapping[str, Any]) -> bool:
    """Whether a functional gives the minimisers on the samples."""
    if name not in _known(what):
        return False
    with np.errstate(all="ignore"):
        try:
            expected = [_known(what)[name](sample, given) for sample in samples(what)]
        except KeyError:
            return False
    pairs = list(zip(expected, minimisers, strict=True))
    if any(np.shape(a) != np.shape(b) for a, b in pairs):
        return False
    return all(np.allclose(a, b, rtol=0, atol=choose(1e-5, 1e-2)) for a, b in pairs)


def explanations(what: Subject, minimisers: Sequence[Point], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of all functionals that explain the minimisers."""
    return tuple(name for name in _known(what) if explains(name, what, minimisers, given))
