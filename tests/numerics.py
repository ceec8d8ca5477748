"""The extreme grid, and the losses on it: compiled once a loss and dtype.

The one place that says what error is allowed.
"""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import grids
import jax
import numpy as np
import oracle
from cases import Case
from mpmath import mpf

from lossopt import losses


# Relative error of value, slope and curvature. A unit in the last place is 1.2e-7 and 2.2e-16.
RTOL = {np.float32: 1e-6, np.float64: 1e-14}

# Units in the last place of the *inputs* (the residual or logit, and a soft target) whose effect is forgiven: no
# algorithm can undo the rounding of r / c or of 1 - y. It shows only next to a zero of the quantity itself.
CONDITIONING = 2

# In units of the smallest normal number: what may be flushed to 0 on the way to a result.
UNDERFLOW = 256

LENGTH = 128
SCALES = ("delta", "scale", "c", "bandwidth")
KNOTS = (*SCALES, "epsilon")


class Orders(NamedTuple):
    """Value, slope by reverse and forward mode, curvature forward over reverse and reverse over forward."""

    value: np.ndarray
    reverse: np.ndarray
    forward: np.ndarray
    curvature: np.ndarray
    other_curvature: np.ndarray


@jax.jit
def _everything(loss: Any, predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, ...]:
    def one(p: jax.Array, t: jax.Array) -> tuple[jax.Array, ...]:
        def reverse(p: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            value, slope = jax.value_and_grad(loss)(p, t)
            return slope, (value, slope)

        def forward(p: jax.Array) -> tuple[jax.Array, jax.Array]:
            slope = jax.jacfwd(loss)(p, t)
            return slope, slope

        curvature, (value, slope) = jax.jacfwd(reverse, has_aux=True)(p)
        other_curvature, other_slope = jax.jacrev(forward, has_aux=True)(p)
        return value, slope, other_slope, curvature, other_curvature

    return jax.vmap(one)(predictions, targets)


def everything(loss: Any, predictions: np.ndarray, targets: np.ndarray) -> Orders:
    """All orders, as float64 arrays (exact copies). Padded to one length, so that a loss is compiled once a dtype."""
    rows = np.minimum(np.arange(-(-len(predictions) // LENGTH) * LENGTH), len(predictions) - 1)
    parts = [_everything(loss, predictions[part], targets[part]) for part in rows.reshape(-1, LENGTH)]
    return Orders(
        *(
            np.concatenate([np.asarray(x).astype(float) for x in xs])[: len(predictions)]
            for xs in zip(*parts, strict=True)
        )
    )


def settings(case: Case, dtype: Any) -> dict[str, Any]:
    """All hyperparameters of a case as the loss sees them: rounded to the dtype of the data."""
    given = losses.hyperparameters(case.loss)
    return {
        name: value if value is None else np.asarray(value, dtype).astype(float).tolist()
        for name, value in given.items()
    }


def scale(case: Case, dtype: Any) -> float:
    """How far from 1 the unit is in which the residual is measured: what is tiny in that unit underflows."""
    units = [settings(case, dtype).get(name, 1.0) for name in SCALES]
    return max(max(unit, 1 / unit) for unit in units if np.isfinite(unit))


def magnitudes(case: Case, dtype: Any) -> np.ndarray:
    """From the smallest normal number to near the largest, with the knots of the loss and their neighbours."""
    info = np.finfo(dtype)
    far = [1e4, 1e6, 1e9, 1e15, float(info.max) ** 0.45, float(info.max) ** 0.49, float(info.max) ** 0.9]
    near = [
        0.0,
        0.03,
        0.3,
        0.7,
        1.5,
        2.0,
        3.0,
        5.0,
        10.0,
        17.0,
        30.0,
        50.0,
        88.0,
        89.0,
        100.0,
        300.0,
        700.0,
        745.0,
        1e3,
    ]
    tiny = [float(info.tiny), 1e-30, 1e-15, 1e-9, 3e-5, 1e-3]
    knots = [dtype(1.0), *(dtype(value) for name, value in settings(case, dtype).items() if name in KNOTS and value)]
    beside = [np.nextafter(knot, dtype(end)) for knot in knots for end in (0.0, np.inf) if np.isfinite(knot)]
    found = np.unique(np.array([*tiny, *near, *far, *knots, *beside, *(knot / 2 for knot in knots)]).astype(dtype))
    return found[np.isfinite(found)]


def points(case: Case, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets of one number each. Where a target is not 0 the residual is rounded, and moderate."""
    card, sizes = case.card, magnitudes(case, dtype)
    if card.task == "count":
        return _counts(card, np.concatenate([-sizes[::-1], sizes]), settings(case, dtype))
    if card.target in ("non-zero", "non-negative") and card.task == "regression":
        return grids.beside_targets(card.target, sizes)
    if card.prediction == "probability":
        edge = np.array([0.0, float(np.finfo(dtype).tiny), 1e-30, 1e-9, 1e-3, 0.1, 0.3, 0.5], dtype)
        sizes = np.unique(np.concatenate([edge, 1 - edge[4:], [1 - np.finfo(dtype).eps], [1.0]]).astype(dtype))
    elif card.task == "binary":
        sizes = np.concatenate([-sizes[::-1], sizes])
    else:
        sizes = np.concatenate([-sizes[sizes < 20][::-1], sizes])
    if card.target == "real":
        moved = np.array([-3.0, 0.1, 1.5, 1.6, 2.5, 40.0], dtype)
        return np.concatenate([sizes, moved]), np.concatenate([0 * sizes, np.full_like(moved, 1.5)])
    soft = sizes[::5] if card.target == "unit" else sizes[:0]
    parts = [(sizes, 0.0), (sizes, 1.0), (soft, 0.3)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([np.full_like(p, y) for p, y in parts])


def _counts(card: losses.LossCard, sizes: np.ndarray, given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The extremes against 1 and 0 (or all of the trials), a few against other targets, and what lies around a fit."""
    trials, zero = given.get("trials"), () if card.target == "positive" else (0.0,)
    most = 1.0 if trials is None else trials
    others = np.array([0.3, 7.0, 1e6] if trials is None else [0.3 * trials, 0.999 * trials], sizes.dtype)
    fits = np.log(others) if trials is None else np.log(others / (others.dtype.type(trials) - others))
    beside = np.array([0.0, 1e-3, -1e-3, 0.4, -0.6, 0.98, -0.98, 1.02, -1.02, 3.0, -3.0], sizes.dtype)
    parts = [(sizes, y) for y in (most, *zero)]
    parts += [(np.concatenate([sizes[::7], fit + beside]), y) for fit, y in zip(fits, others, strict=True)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([np.full_like(p, y) for p, y in parts])


class Truth(NamedTuple):
    """What is true at one point of a grid."""

    prediction: Any
    target: Any
    exact: oracle.Exact


class Error(NamedTuple):
    """One number beside the truth; `excess` is the relative error beyond what is allowed for conditioning."""

    excess: float
    order: str
    prediction: Any
    target: Any
    found: float
    expected: float
    entry: int = 0


Grid = tuple[np.ndarray, np.ndarray]


def truths(case: Case, dtype: Any, grid: Grid | None = None) -> Iterator[Truth]:
    """A loss of one number at every point of a grid: the extreme one, unless another is given."""
    given = settings(case, dtype)
    for p, y in zip(*(part.tolist() for part in grid or points(case, dtype)), strict=True):
        if case.name in oracle.JETS:
            yield Truth(p, y, oracle.jets(case.name, p, y, given))
            continue
        truth = oracle.truth(case.name, p, y, given)
        sensitivity = functools.partial(_sensitivity, case, p, y, given, truth)
        yield Truth(p, y, oracle.Exact([[entry] for entry in truth[:3]], sensitivity))


def _sensitivity(case: Case, p: float, y: float, given: dict[str, Any], truth: list[mpf]) -> list[list[mpf]]:
    ends = _ends(case.name, p, y, given) if case.card.target == "unit" else []
    ends += [_by_target(case.name, p, y, given)] if case.card.task == "count" else []
    x = abs(p - y) if case.card.target == "real" else abs(p)
    return [[(x and x * abs(truth[order + 1])) + sum(abs(end[order]) for end in ends)] for order in range(3)]


def errors(case: Case, dtype: Any) -> Iterator[Error]:
    """Every order of a loss of one number at every point of the grid, beside the truth."""
    found = everything(case.loss, *points(case, dtype))
    return compared(found, truths(case, dtype), floor(case, dtype), dtype, enough=RTOL[dtype])


def floor(case: Case, dtype: Any) -> float:
    """What may be flushed to 0, in the unit of the loss."""
    return UNDERFLOW * float(np.finfo(dtype).tiny) * scale(case, dtype) ** 2


def compared(
    found: Orders, expected: Iterable[Truth], floor: float, dtype: Any, enough: float = 0.0
) -> Iterator[Error]:
    """Every number found beside the truth; an order that was not computed is None.

    An error of at most `enough` is not examined further: it is reported whole, as if the inputs were exact.
    """
    largest, ulps = float(np.finfo(dtype).max), CONDITIONING * float(np.finfo(dtype).eps)
    for i, (p, y, exact) in enumerate(expected):
        sensitivity = functools.cache(exact.sensitivity)
        rounded = [[_two_floats(truth) for truth in entries] for entries in exact.orders]
        for name, order in zip(Orders._fields, (0, 1, 1, 2, 2), strict=True):
            numbers, entries = getattr(found, name), rounded[order]
            # Beside an infinite slope, a tangent of 0 in forward mode gives NaN: no rule of one entry can prevent it.
            infinite = any(abs(truth) > largest for truth, _ in entries)
            if numbers is None or (infinite and order and name != "reverse" and len(rounded[1]) > 1):
                continue
            for entry, (number, truth) in enumerate(zip(numbers[i].ravel().tolist(), entries, strict=True)):
                beyond = excess(number, truth, floor, largest)
                if beyond > enough and math.isfinite(number) and abs(truth[0]) <= largest:
                    slack = ulps * float(sensitivity()[order][entry])
                    beyond = excess(number, truth, slack + floor, largest)
                yield Error(beyond, name, p, y, number, truth[0], entry)


def _two_floats(x: mpf) -> tuple[float, float]:
    """The number to 32 digits."""
    high = float(x)
    return (high, float(x - high)) if math.isfinite(high) else (high, 0.0)


def _ends(name: str, p: float, y: float, given: dict[str, Any]) -> list[list[mpf]]:
    """For a soft target (or one made soft): the losses of both classes, in which the rounding of the target counts."""
    if y in (0, 1) and not given.get("label_smoothing"):
        return []
    hard = given | ({"label_smoothing": 0.0} if "label_smoothing" in given else {})
    return [oracle.truth(name, p, end, hard) for end in (0.0, 1.0)]


def _by_target(name: str, p: float, y: float, given: dict[str, Any]) -> list[mpf]:
    """y times the derivatives in y of the loss and of its derivatives."""
    with oracle.mp.workdps(60):
        step = mpf(10) ** -25
        pair = zip(oracle.truth(name, p, y, given), oracle.truth(name, p, y * (1 - step), given), strict=True)
        return [(there - here) / step for here, there in pair]


def excess(found: float, truth: tuple[float, float], allowed: float, largest: float) -> float:
    """The relative error beyond an error that is allowed; inf for NaN or a wrong infinity."""
    high, low = truth
    if abs(high) > largest:
        return 0.0 if found == math.copysign(math.inf, high) else math.inf
    if not math.isfinite(found):
        return math.inf
    beyond = abs((found - high) - low) - allowed
    return 0.0 if beyond <= 0 else beyond / abs(high) if high != 0 else math.inf


def vector_points(card: losses.LossCard, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets of three classes: saturated, near ties, far out, masked by -inf; every label."""
    if card.prediction in ("quantiles", "vector"):
        return grids.regression_vectors(card.prediction, dtype, 7 if "coverages" in card.hyperparameters else 3)
    if card.task == "distribution":
        return grids.intervals(dtype) if card.prediction == "interval" else grids.locations_and_log_scales(dtype)
    logits = [
        *(
            [0, 0, 0],
            [1, 0, -1],
            [17, 0, -1],
            [-17, 0, 3],
            [1e5 + 8, 1e5, 0],
            [88, 89, 90],
            [1e-9, 0, 0],
            [3e-5, 0, -3e-5],
        ),
        *(
            [700, 0, -700],
            [1e4, -1e4, 0],
            [40, 40, 0],
            [-np.inf, 0, 1],
            [0, -np.inf, -np.inf],
            [5, 4, -np.inf],
            [0.1, 0.2, 0.3],
        ),
    ]
    shares = [[0.2, 0.3, 0.5], [1, 0, 0], [0, 0.5, 0.5], [1e-30, 1e-9, 1], [0.999, 0.001, 0], [1 / 3, 1 / 3, 1 / 3]]
    predictions = np.array(shares if card.prediction == "probabilities" else logits, dtype)
    targets = np.eye(3) if card.target == "simplex" else np.arange(3)
    if card.target == "simplex":
        targets = np.concatenate([targets, [[0.2, 0.3, 0.5], [0, 0.5, 0.5]]]).astype(dtype)
    return np.repeat(predictions, len(targets), axis=0), np.tile(
        targets, (len(predictions), *(1,) * (targets.ndim - 1))
    )


def vector_truths(case: Case, dtype: Any, grid: Grid | None = None) -> Iterator[Truth]:
    """The same for a loss of a vector: the value, every entry of the gradient, every entry of the Hessian."""
    given, truth_of = settings(case, dtype), _vector_truth(case)
    for p, y in zip(*(part.tolist() for part in grid or vector_points(case.card, dtype)), strict=True):
        yield Truth(p, y, truth_of(p, y, given))


def _vector_truth(case: Case) -> Callable[..., list]:
    for names, truth_of in (
        (oracle.JETS, oracle.jets),
        (oracle.LOGITS, oracle.logits_truth),
        (oracle.DISTRIBUTIONS, oracle.distribution_truth),
    ):
        if case.name in names:
            return functools.partial(truth_of, case.name)
    return oracle.shares_truth if case.card.prediction == "probabilities" else oracle.softmax_truth


def vector_errors(case: Case, dtype: Any) -> Iterator[Error]:
    """Every order of a loss of a vector at every point of the grid, beside the truth."""
    found = everything(case.loss, *vector_points(case.card, dtype))
    nothing = UNDERFLOW * float(np.finfo(dtype).tiny)
    return compared(found, vector_truths(case, dtype), nothing, dtype, enough=RTOL[dtype])
