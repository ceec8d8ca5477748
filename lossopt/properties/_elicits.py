"""What the best constant prediction reports about the target's distribution: fit one, and compare.

Regression: a constant is fitted to two skewed samples. Classification: the expected loss is minimised at several
true probabilities. All minimisation is by search on values, so kinks, plateaus and second minima do no harm.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from . import _extremes
from ._functionals import Point, samples
from ._subject import choose, Jet, jet, Subject, top_target


Numbers = np.ndarray | float


class Elicited(NamedTuple):
    """What was found: the functional (None where it is none of those known), and how it does as a classifier's loss."""

    name: str | None
    proper: bool | None = None
    calibrated: bool | None = None


PROBABILITIES = np.array([0.02, 0.1, 0.3, 0.45, 0.499, 0.501, 0.55, 0.8, 0.97])


def locations(what: Subject) -> list[Point]:
    """For each sample the constant of least total loss."""
    find = _vector_location if what.of_vector else _location
    return [find(what, sample) for sample in samples(what)]


def _location(what: Subject, sample: np.ndarray) -> float:
    """The constant of least total loss on a sample."""
    reach = np.ptp(sample)
    low, high = sample.min() - 0.2 * reach, sample.max() + 0.2 * reach
    far = reach * np.geomspace(0.3, 1e3, 60)
    candidates = np.unique(np.concatenate([low - far, np.linspace(low, high, 193), sample, high + far]))
    for _ in range(8):
        cost = _total(what, candidates, sample)
        i = int(np.argmin(np.where(np.isfinite(cost), cost, np.inf)))
        centre, low, high = candidates[i], candidates[max(i - 1, 0)], candidates[min(i + 1, len(candidates) - 1)]
        candidates = np.unique(_closer(low, centre, high))
    return float(centre)


def _closer(low: Numbers, centre: Numbers, high: Numbers) -> np.ndarray:
    """Points from low to high along the first axis, the centre among them.

    None lies beside it by rounding: such a neighbour would end the search, wherever it is.
    """
    return np.concatenate([np.linspace(low, centre, 17), np.linspace(centre, high, 17)[1:]])


def _vector_location(what: Subject, sample: np.ndarray) -> np.ndarray:
    """By random steps that shrink, then along each axis; of a loss that sees only directions, the direction."""
    random, axes, reach = np.random.default_rng(0), np.eye(what.classes), np.ptp(sample)

    def better(near: np.ndarray) -> np.ndarray:
        return near[np.argmin(_total(what, near, sample))]

    best = np.ones(what.classes)
    for moved in reach * 0.7 ** np.arange(60):
        steps = np.concatenate([0 * axes[:1], axes, -axes, random.normal(size=(16, what.classes))])
        best = better(best + moved * steps)
    for axis in axes:
        for moved in reach / 10.0 ** np.arange(9):
            best = better(best + moved * np.linspace(-1, 1, 23)[:, None] * axis)
    return best / np.linalg.norm(best) if what.target == "direction" else best


def _total(what: Subject, candidates: np.ndarray, sample: np.ndarray) -> np.ndarray:
    predictions = np.repeat(candidates, len(sample), axis=0)
    targets = np.tile(sample, (len(candidates), *(1,) * (sample.ndim - 1)))
    with np.errstate(over="ignore"):
        return jet(what, predictions, targets).value.reshape(-1, len(sample)).sum(axis=1)


LINKED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log-odds": lambda p: np.log(p / (1 - p)),
    "probability": lambda p: p,
    "sign": lambda p: np.sign(2 * p - 1),
    "twice the probability less one": lambda p: 2 * p - 1,
    "half the log-odds": lambda p: np.log(p / (1 - p)) / 2,
    "normal quantile of the probability": np.vectorize(NormalDist().inv_cdf),
    "complementary log-log of the probability": lambda p: np.log(-np.log1p(-p)),
}


def of_binary(what: Subject) -> Elicited:
    """What the minimiser of the expected loss of a binary loss is a function of."""
    best, slack = _binary_minimisers(what), choose(1e-5, 1e-2)
    is_probability = what.prediction == "probability"
    probability = best if is_probability else _stated(what, best)
    names = [name for name, link in LINKED.items() if np.allclose(best, link(PROBABILITIES), rtol=0, atol=slack)]
    return Elicited(
        names[0] if names else None,
        bool(np.allclose(probability, PROBABILITIES, rtol=0, atol=slack)),
        bool(np.all(np.sign(best - (0.5 if is_probability else 0.0)) == np.sign(PROBABILITIES - 0.5))),
    )


def _stated(what: Subject, scores: np.ndarray) -> np.ndarray:
    """The probability that a score states: exp(-loss) if that is one (a likelihood has its own link), else sigmoid."""
    yes, no = (np.exp(-jet(what, scores, np.full(scores.shape, y)).value) for y in (1.0, 0.0))
    return yes if np.allclose(yes + no, 1.0, rtol=0, atol=choose(1e-10, 1e-4)) else 1 / (1 + np.exp(-scores))


def _binary_minimisers(what: Subject) -> np.ndarray:
    edge = choose(1e-9, 1e-4)
    span = (edge, 1 - edge) if what.prediction == "probability" else (-30.0, 30.0)
    candidates = np.tile(np.linspace(*span, 961), (len(PROBABILITIES), 1))
    rows = np.arange(len(candidates))
    for _ in range(8):
        flat = candidates.ravel()
        values = [jet(what, flat, np.full(flat.shape, y)).value for y in (top_target(what), 0.0)]
        yes, no = (value.reshape(candidates.shape) for value in values)
        risk = PROBABILITIES[:, None] * yes + (1 - PROBABILITIES[:, None]) * no
        i = np.argmin(np.where(np.isfinite(risk), risk, np.inf), axis=1)
        best = candidates[rows, i]
        low, high = candidates[rows, np.maximum(i - 1, 0)], candidates[rows, np.minimum(i + 1, candidates.shape[1] - 1)]
        candidates = _closer(low, best, high).T
    return best


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _sparsemax(scores: np.ndarray) -> np.ndarray:
    falling, place = -np.sort(-scores, axis=1), np.arange(1, scores.shape[1] + 1)
    sums = np.cumsum(falling, axis=1) - 1
    count = (place * falling > sums).sum(axis=1, keepdims=True)
    return np.maximum(scores - np.take_along_axis(sums, count - 1, axis=1) / count, 0.0)


# What the minimiser of the expected loss of a vector may be -> the probabilities that it then states.
STATED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log-odds": _softmax,
    "log-odds against the rest": lambda scores: 1 / (1 + np.exp(-scores)),
    "scores of sparsemax": _sparsemax,
}


def of_multiclass(what: Subject) -> Elicited:
    """The same for a vector of predictions; log-odds are compared up to a constant, which no softmax sees."""
    truth = _distributions(what.classes)
    best, slack = _vector_minimisers(what, truth), choose(1e-4, 2e-2)
    stated = {"probability": lambda shares: shares} if what.prediction == "probabilities" else STATED
    names = [name for name, link in stated.items() if np.allclose(link(best), truth, rtol=0, atol=slack)]
    proper = bool(names) and names[0] in ("probability", "log-odds")
    # A tie at the top finds no class, whichever comes first.
    lead = np.subtract(*np.sort(best, axis=1).T[[-1, -2]])
    calibrated = bool(np.all((best.argmax(axis=1) == truth.argmax(axis=1)) & (lead > choose(1e-4, 3e-3))))
    return Elicited(names[0] if names else None, proper, calibrated)


def _distributions(classes: int) -> np.ndarray:
    """True probabilities of the classes: falling, peaked, flatter and nearly even, each class once the likeliest."""
    falling = np.arange(classes, 0, -1.0)
    shapes = [falling, falling**3, falling + classes, 1 + 0.03 * (np.arange(classes) == 0)]
    return np.array([np.roll(shape / shape.sum(), shift) for shape in shapes for shift in range(classes)])


def _vector_minimisers(what: Subject, truth: np.ndarray) -> np.ndarray:
    """For each distribution the vector of least expected loss: shrinking random steps, then Newton where it helps."""
    random, simplex = np.random.default_rng(0), what.prediction == "probabilities"
    best = np.full_like(truth, 1 / what.classes if simplex else 0.0)
    axes = np.eye(what.classes)
    for moved in 0.7 ** np.arange(40):
        steps = np.concatenate([0 * axes[:1], axes, -axes, random.normal(size=(24, what.classes))])
        best = _better(what, best[:, None] + moved * steps, truth)
    for _ in range(8):
        best = _better(what, np.stack([best, best - _newton_step(what, best, truth)], axis=1), truth)
    return best


def _better(what: Subject, near: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of several vectors a distribution, that of least expected loss."""
    near = np.clip(near, -30, 30)
    if what.prediction == "probabilities":
        near = _extremes.onto_simplex(near.reshape(-1, what.classes)).reshape(near.shape)
    value = _by_label(what, near.reshape(-1, what.classes)).value.reshape(what.classes, *near.shape[:2])
    risk = np.einsum("nk,knm->nm", truth, value)
    return near[np.arange(len(near)), np.argmin(np.where(np.isfinite(risk), risk, np.inf), axis=1)]


def _newton_step(what: Subject, at: np.ndarray, truth: np.ndarray) -> np.ndarray:
    found, k = _by_label(what, at), what.classes
    slope = np.einsum("nk,kni->ni", truth, found.slope.reshape(k, -1, k))
    curvature = np.einsum("nk,knij->nij", truth, found.curvature.reshape(k, -1, k, k))
    if what.prediction == "probabilities":
        # Along the simplex only.
        along = np.eye(k) - 1 / k
        slope, curvature = slope @ along, along @ curvature @ along
    usable = np.isfinite(slope).all(axis=1) & np.isfinite(curvature).all(axis=(1, 2))
    slope, curvature = np.where(usable[:, None], slope, 0.0), np.where(usable[:, None, None], curvature, 0.0)
    return np.einsum("nij,nj->ni", np.linalg.pinv(curvature, rcond=choose(1e-9, 1e-4), hermitian=True), slope)


def _by_label(what: Subject, predictions: np.ndarray) -> Jet:
    """The loss of every prediction (n) for every label (k): k n rows."""
    k, n = what.classes, len(predictions)
    labels = np.repeat(np.arange(k), n)
    return jet(what, np.tile(predictions, (k, 1)), labels if what.target == "label" else np.eye(k)[labels])
