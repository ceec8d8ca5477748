"""Whether the derivatives that JAX returns are those of the function: against central differences.

By the mean value theorem a difference quotient lies between the least and the greatest slope of its interval. What
lies outside what was met there, beyond rounding and the bend in between, is an error; kinks and knots inside an
interval need no exception. A loss that oscillates may turn many times between two points far out: an error counts as
far as a step that is nearly as small as rounding allows has it too. Rounding is measured as well, as the scatter
between close neighbours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._lines import Curve, follow, typical
from ._subject import choose, jet, precision, Subject


class Mismatch(NamedTuple):
    """The greatest relative error of a derivative, and the coordinate (with the two values) where it was met."""

    error: float = 0.0
    x: float = 0.0
    returned: float = 0.0
    expected: float = 0.0


class Errors(NamedTuple):
    """The worst of the slope and of the curvature; `rounding` has the worst scatter of the loss, relative to it."""

    slope: Mismatch
    curvature: Mismatch
    rounding: Mismatch


class _Triple(NamedTuple):
    """A function and its claimed derivative at both ends and the middle of intervals: lists of three (n,) arrays.

    `noise` is the rounding of f; `between` has the claimed derivative at further places inside.
    """

    x: np.ndarray
    width: np.ndarray
    f: list[np.ndarray]
    slope: list[np.ndarray]
    noise: np.ndarray
    between: Sequence[np.ndarray] = ()


# Far enough apart that a number of order 1 moves by its last bit, near enough that the loss is straight.
_NEIGHBOURS = np.array([0.02, 0.07, 0.3, 1.0])


def along(what: Subject, curves: list[Curve], kinks: set[float]) -> Errors:
    """The worst errors along lines."""
    found = [_along(what, curve, kinks) for curve in curves if len(_centres(curve)[0])]
    return Errors(*(max(kind) for kind in zip(*found, strict=True))) if found else Errors(*[Mismatch()] * 3)


def _along(what: Subject, curve: Curve, kinks: set[float]) -> Errors:
    x, room = _centres(curve)
    eps = np.finfo(precision()).eps
    step, close = np.cbrt(eps) * room, np.multiply.outer(np.sqrt(eps) * np.array([-1.0, *_NEIGHBOURS]), room)
    low, middle, high, *near = follow(what, [(curve.line, x + d) for d in (-step, 0 * step, step, *close)])
    apart = _apart(low.x, high.x, kinks)
    parts = [Curve(part.line, *(f[apart] for f in part[1:])) for part in (low, middle, high, *near)]
    return Errors(
        _worst(_intervals(curve, "value", "slope", low, middle, high, near)),
        _worst(_intervals(curve, "slope", "curvature", parts[0], parts[1], parts[2], parts[3:])),
        _roughest(middle, near[1:], _scatter(middle, near[1:], "value", "slope")),
    )


def across(what: Subject, predictions: np.ndarray, targets: np.ndarray, seed: int) -> Mismatch:
    """The worst error of the slope of a loss of a vector, along a random direction at each point."""
    random = np.random.default_rng(seed)
    direction, room = random.normal(size=predictions.shape), np.ones((len(predictions), 1))
    if what.prediction == "vector":
        # There is no direction at 0, and the nearer the steeper.
        room = np.linalg.norm(predictions, axis=1, keepdims=True)
    if what.prediction == "probabilities":
        direction -= direction.mean(axis=1, keepdims=True)
        room = predictions.min(axis=1, keepdims=True)
    inside = room[:, 0] > choose(1e-4, 1e-2)
    predictions, targets, step = predictions[inside], targets[inside], (room * direction)[inside]
    step *= np.cbrt(np.finfo(precision()).eps)
    places = [(predictions + sign * step).astype(precision()).astype(float) for sign in (-1, 0, 1)]
    low, middle, high = (jet(what, place, targets) for place in places)
    width = np.linalg.norm(places[2] - places[0], axis=1)
    unit = (places[2] - places[0]) / width[:, None]
    slopes = [np.einsum("nk,nk->n", part.slope, unit) for part in (low, middle, high)]
    noise = np.finfo(precision()).eps * (1 + np.abs(predictions).max(axis=1))
    rows = np.arange(len(step), dtype=float)
    return _worst([_Triple(rows, width, [low.value, middle.value, high.value], slopes, noise)])


def _centres(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Up to 800 coordinates of moderate size, each with its distance from the nearest end."""
    line, small = curve.line, choose(1e-6, 1e-2)
    # On an endless side the coordinate is as far from its end as from 0.
    ends = [end if np.isfinite(end) else 0.0 for end in (line.low, line.high)]
    room = np.min([np.abs(curve.x - end) for end in ends], axis=0)
    usable = np.flatnonzero((room > small) & (np.abs(curve.x) < 1 / small) & np.isfinite(curve.value))
    usable = usable[:: max(1, len(usable) // 800)]
    return curve.x[usable], room[usable]


def _intervals(
    curve: Curve, of: str, derivative: str, low: Curve, middle: Curve, high: Curve, near: list[Curve]
) -> list[_Triple]:
    """The interval from low to high, and the small one inside it that the neighbours span."""
    first, *others = near
    floor = _floor(curve, middle.x, of, derivative)
    between = [getattr(part, derivative) for part in near]
    wide, small = (low, middle, high), (first, middle, near[-1])
    noises = _scatter(middle, others, of, derivative), _roughness([getattr(part, of) for part in (middle, *near)])
    return [
        _Triple(
            middle.x,
            parts[2].x - parts[0].x,
            [getattr(part, of) for part in parts],
            [getattr(part, derivative) for part in parts],
            noise + floor,
            between,
        )
        for parts, noise in zip((wide, small), noises, strict=True)
    ]


def _apart(low: np.ndarray, high: np.ndarray, kinks: set[float]) -> np.ndarray:
    inside = [(low <= kink) & (kink <= high) for kink in kinks]
    return ~np.any(inside, axis=0) if inside else np.ones(low.shape, bool)


def _scatter(middle: Curve, near: list[Curve], of: str, derivative: str) -> np.ndarray:
    """How far f at close neighbours lies off its tangent (its parabola, for a value): rounding, and nothing else."""
    f, rate = getattr(middle, of), getattr(middle, derivative)
    with np.errstate(invalid="ignore", over="ignore"):
        bend = middle.curvature / 2 if of == "value" else np.zeros_like(f)
        moves = [curve.x - middle.x for curve in near]
        off = np.max(
            [np.abs(getattr(c, of) - f - d * (rate + bend * d)) for c, d in zip(near, moves, strict=True)], axis=0
        )
    return np.where(np.isfinite(off), off, 0.0)


def _roughness(f: list[np.ndarray]) -> np.ndarray:
    """How far f may lie off one parabola in the middle and at its neighbours, whatever derivative is claimed."""
    powers = np.vander([0.0, -1.0, *_NEIGHBOURS], 3)
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.max(np.abs((np.eye(len(powers)) - powers @ np.linalg.pinv(powers)) @ np.array(f)), axis=0)
    # Of six points three determine the parabola, and those at the ends bend it most.
    return np.where(np.isfinite(off), 4 * off, 0.0)


def _floor(curve: Curve, x: np.ndarray, of: str, derivative: str) -> np.ndarray:
    """The rounding to be expected of any formula: of numbers of order 1, and of x itself."""
    sizes = typical(curve.x, getattr(curve, of)), typical(curve.x, getattr(curve, derivative))
    return np.finfo(precision()).eps * (sizes[0] + np.abs(x) * sizes[1])


def _roughest(middle: Curve, near: list[Curve], scatter: np.ndarray) -> Mismatch:
    # What a change of slope or curvature in between explains, beside a knot, is no rounding.
    reach = np.max([np.abs(curve.x - middle.x) for curve in near], axis=0)
    slopes, bends = ([getattr(curve, of) for curve in (middle, *near)] for of in ("slope", "curvature"))
    with np.errstate(over="ignore", invalid="ignore"):
        scatter = np.maximum(scatter - reach * np.ptp(slopes, axis=0) - reach**2 * np.ptp(bends, axis=0), 0.0)
    size = np.abs(middle.value)
    share = np.where(size > choose(1e-200, 1e-25), scatter / np.maximum(size, choose(1e-200, 1e-25)), 0.0)
    share = np.where(np.isfinite(share), share, 0.0)
    worst = int(np.argmax(share))
    return Mismatch(float(share[worst]), float(middle.x[worst]), float(middle.value[worst]), float(scatter[worst]))


def _worst(intervals: list[_Triple]) -> Mismatch:
    """The worst of what is an error in all intervals around a place, with the quotient of the first."""
    found = [_outside(at) for at in intervals]
    error = np.min([error for error, _ in found], axis=0)
    if not len(error) or not error.max() > 0:
        return Mismatch()
    worst = int(np.argmax(error))
    at, quotient = intervals[0], found[0][1]
    return Mismatch(float(error[worst]), float(at.x[worst]), float(at.slope[1][worst]), float(quotient[worst]))


def _outside(at: _Triple) -> tuple[np.ndarray, np.ndarray]:
    """How far each difference quotient lies outside the slopes met in its interval, as a share; and the quotients."""
    eps, f, slope = np.finfo(precision()).eps, at.f, at.slope
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = (f[2] - f[0]) / at.width
        bend, steepest = 2 * np.abs(slope[0] - 2 * slope[1] + slope[2]), np.abs(slope).max(axis=0)
        slack = bend + 4 * (at.noise + eps * np.abs(f[0]) + eps * np.abs(f[2])) / at.width + 64 * eps * steepest
        met = [*slope, *at.between]
        outside = np.maximum(np.min(met, axis=0) - quotient, quotient - np.max(met, axis=0)) - slack
        error = np.where(outside > 0, outside / np.maximum(steepest, np.abs(quotient)), 0.0)
    return np.where(np.isfinite(error) & np.isfinite(quotient), error, 0.0), quotient
