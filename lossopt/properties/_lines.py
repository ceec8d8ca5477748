"""Lines through the space of predictions, in the coordinate in which cards speak, and the loss along them.

The coordinate x is the residual for a regression loss (over the target, where that is never 0), the margin for a loss
of logits (that of the labelled class over equal others), and the probability for a loss of probabilities. A new kind
of argument is a new row of LINES.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from ._subject import choose, jet, precision, Subject


class Line(NamedTuple):
    """prediction = origin + x * direction with one target; x runs over the open interval (low, high).

    `fit` is the x at which the prediction states the target, NaN where no prediction does (a soft label).
    """

    target: np.ndarray
    origin: np.ndarray
    direction: np.ndarray
    low: float = -math.inf
    high: float = math.inf
    fit: float = math.nan


class Curve(NamedTuple):
    """The loss along a line: the coordinates, and value, slope and curvature in x there, all (n,)."""

    line: Line
    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray


def _line(target, origin, direction, *rest: float) -> Line:
    return Line(np.asarray(target), np.asarray(origin, float), np.asarray(direction, float), *rest)


def _real(classes: int) -> list[Line]:
    return [_line(target, target, 1.0, -math.inf, math.inf, 0.0) for target in (0.0, 1.75, -2.5)]


def _relative(classes: int) -> list[Line]:
    """The residual in units of the target: what a loss that is relative sees."""
    return [_line(target, target, target, -math.inf, math.inf, 0.0) for target in (1.75, -2.5, 0.375)]


def _above_minus_one(classes: int) -> list[Line]:
    return [_line(target, target, 1.0, -1 - target, math.inf, 0.0) for target in (0.0, 1.75, 6.0)]


def _quantiles(classes: int) -> list[Line]:
    """One entry moves away from the target, then all together; those left behind are at a perfect fit."""
    ways = [*np.eye(classes), np.ones(classes)]
    fits = [(target, np.full(classes, target)) for target in (0.0, 1.75, -2.5)]
    return [_line(target, fit, way, -math.inf, math.inf, 0.0) for target, fit in fits for way in ways]


def _directions(classes: int) -> list[Line]:
    """Away from the target along each axis: past the vector 0, at which there is no direction."""
    targets = [np.arange(1.0, classes + 1), (-0.5) ** np.arange(classes)]
    return [_line(y, y, axis, -math.inf, math.inf, 0.0) for y in targets for axis in np.eye(classes)]


def _ratios(classes: int) -> list[Line]:
    """x is the log of the mean over the target."""
    return [_line(y, math.log(y), 1.0, -math.inf, math.inf, 0.0) for y in (1.0, 0.3, 20.0)]


def _ratios_and_zero(classes: int) -> list[Line]:
    return [*_ratios(classes), _line(0.0, 0.0, 1.0)]


def _successes(trials: float) -> list[Line]:
    ends = [_line(share * trials, 0.0, 2 * share - 1, -math.inf, math.inf, math.inf) for share in (1.0, 0.0)]
    return [*ends, _line(0.3 * trials, 0.0, 1.0)]


def _located(classes: int) -> list[Line]:
    """The location moves away from the target at two scales; then the log scale moves, beside the target and at it."""
    moves = [_line(y, [y, t], [1.0, 0.0], -math.inf, math.inf, 0.0) for y, t in ((0.0, -0.5), (1.75, 0.75))]
    return [*moves, *(_line(0.0, [r, 0.0], [0.0, 1.0]) for r in (2.0, -0.3, 0.0))]


def _margin(classes: int) -> list[Line]:
    return [_line(target, 0.0, 2 * target - 1, -math.inf, math.inf, math.inf) for target in (1.0, 0.0)]


def _soft_margin(classes: int) -> list[Line]:
    return [*_margin(classes), _line(0.3, 0.0, 1.0)]


def _probability(classes: int) -> list[Line]:
    return [_line(target, 0.0, 1.0, 0.0, 1.0, fit) for target, fit in ((1.0, 1.0), (0.0, 0.0), (0.3, math.nan))]


def _label(classes: int) -> list[Line]:
    zero, axes = np.zeros(classes), np.eye(classes)
    return [_line(label, zero, axes[label], -math.inf, math.inf, math.inf) for label in range(classes)]


def _soft_label(classes: int) -> list[Line]:
    zero, axes = np.zeros(classes), np.eye(classes)
    soft = np.arange(1.0, classes + 1) / np.arange(1, classes + 1).sum()
    hard = [_line(axis, zero, axis, -math.inf, math.inf, math.inf) for axis in axes]
    return [*hard, _line(soft, zero, axes[0])]


def _probabilities(classes: int) -> list[Line]:
    axes = np.eye(classes)
    return [_line(axis, (1 - axis) / (classes - 1), axis - (1 - axis) / (classes - 1), 0.0, 1.0, 1.0) for axis in axes]


LINES: dict[tuple[str, str], Callable[[Any], list[Line]]] = {
    ("real", "real"): _real,
    ("real", "non-zero"): _relative,
    ("above -1", "non-negative"): _above_minus_one,
    ("quantiles", "real"): _quantiles,
    ("vector", "direction"): _directions,
    ("interval", "real"): _quantiles,
    ("location and log scale", "real"): _located,
    ("log mean", "non-negative"): _ratios_and_zero,
    ("log mean", "positive"): _ratios,
    ("logit", "successes"): _successes,
    ("logit", "binary"): _margin,
    ("logit", "unit"): _soft_margin,
    ("probability", "binary"): _probability,
    ("probability", "unit"): _probability,
    ("logits", "label"): _label,
    ("logits", "simplex"): _soft_label,
    ("probabilities", "simplex"): _probabilities,
}


def lines(what: Subject) -> list[Line]:
    """The lines along which a loss is measured.

    Raises:
        ValueError: no lines are known for such arguments.
    """
    kinds = (what.prediction, what.target)
    if kinds not in LINES:
        known = "; ".join(f"{prediction}, {target}" for prediction, target in LINES)
        raise ValueError(f"No measurement for prediction={kinds[0]!r} and target={kinds[1]!r}; known pairs: {known}.")
    return LINES[kinds](what.trials if what.target == "successes" else what.classes)


def far_targets(what: Subject) -> list[Line]:
    """Lines to targets so small and so large that what grows with them shows; none where targets have no scale."""
    if what.prediction != "log mean":
        return []
    size = choose(1e30, 1e15)
    return [_line(y, math.log(y), 1.0) for y in (1 / size, size)]


def hard(line: Line) -> bool:
    """Whether the target of this line can be predicted perfectly."""
    return not math.isnan(line.fit)


def typical(x: np.ndarray, f: np.ndarray) -> float:
    """The size of f at coordinates of order 1: that of the numbers it was computed from, hence its unit of rounding."""
    middle = f[(np.abs(x) > 0.05) & (np.abs(x) < 0.95) & np.isfinite(f)]
    return float(np.max(np.abs(middle), initial=0.0))


def grid(line: Line) -> np.ndarray:
    """Coordinates that are dense near 0 (or near both edges), even over the middle, and reach far out."""
    small = choose(1e-12, 1e-6)
    decades = np.geomspace(small, 1 / small, round(-80 * math.log10(small)) + 1)
    # Beside an end that is not 0, steps below its rounding would look like jumps.
    rounded = decades[decades > choose(1e-8, 1e-3) * max(1.0, abs(line.low) if math.isfinite(line.low) else 0.0)]
    if math.isinf(line.high):
        whole = np.concatenate([-decades, np.linspace(-64, 64, 4097), decades])
        if math.isfinite(line.low):
            whole = np.concatenate([whole, line.low + rounded])
        return np.unique(whole[whole > line.low])
    edge = decades[decades < 0.4]
    rounded = rounded[rounded < 0.4]
    unit = np.concatenate([edge, np.linspace(0, 1, 4097)[1:-1], 1 - rounded])
    return np.unique(line.low + unit * (line.high - line.low))


def resolution(line: Line, x: float) -> float:
    """The distance between neighbouring coordinates at x, as the rounding of the prediction allows."""
    return float(np.max(np.spacing(np.abs(_place(line, np.array([x])).astype(precision())))))


def follow(what: Subject, requests: Iterable[tuple[Line, np.ndarray]]) -> list[Curve]:
    """The loss along lines at the coordinates asked for, all in one evaluation."""
    requests = list(requests)
    placed = [_place(line, x) for line, x in requests]
    counts = [len(x) for _, x in requests]
    targets = np.concatenate(
        [np.repeat(line.target[None], n, axis=0) for (line, _), n in zip(requests, counts, strict=True)]
    )
    predictions = np.concatenate(placed).astype(precision())
    found = jet(what, predictions, targets)
    pieces = zip(*(np.split(values, np.cumsum(counts)[:-1]) for values in (predictions, *found)), strict=True)
    return [_project(line, *piece) for (line, _), piece in zip(requests, pieces, strict=True)]


def _place(line: Line, x: np.ndarray) -> np.ndarray:
    return line.origin + np.multiply.outer(x, line.direction)


def _project(line: Line, predictions: np.ndarray, value: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> Curve:
    # The coordinate is read back from the rounded prediction: beside a target it is then exact, not x.
    d = line.direction
    away = predictions.astype(float) - line.origin
    if d.ndim == 0:
        return Curve(line, away / d, value, slope * d, curvature * d * d)
    # Only the entries that move: what is infinite in another counts nothing along this line.
    moves = np.flatnonzero(d)
    part, bends = d[moves], curvature[:, moves][:, :, moves]
    x = away[:, moves] @ part / (part @ part)
    return Curve(line, x, value, slope[:, moves] @ part, np.einsum("i,nij,j->n", part, bends, part))
