"""Where the slope (or the loss itself) jumps: bracketed on a grid, then bisected to the last bits."""

from typing import NamedTuple

import numpy as np

from ._lines import Curve, follow, hard, Line, resolution, typical
from ._subject import choose, Subject


class Jump(NamedTuple):
    """A place where something jumps: the line, the coordinate, and what is found on either side and at it."""

    line: Line
    x: float
    left: float
    right: float
    at: float


class _Bracket(NamedTuple):
    """Two neighbouring coordinates of a line between which something may jump, and the size of what is around."""

    line: Line
    low: float
    high: float
    scale: float


_DERIVATIVE = {"value": "slope", "slope": "curvature"}


@np.errstate(invalid="ignore", over="ignore")  # Of what is infinite on both sides the step is no number, and no step.
def jumps(what: Subject, curves: list[Curve], field: str = "slope") -> list[Jump]:
    """Every jump of a field ("value", "slope" or "curvature") along curves that were evaluated on a grid."""
    brackets = [bracket for curve in curves for bracket in _brackets(curve, field)]
    if not brackets:
        return []
    paths = [bracket.line for bracket in brackets]
    low, high = _bisect(what, brackets, field)
    left, right = _at(what, paths, low, field), _at(what, paths, high, field)
    # A jump stays as it is in a wider bracket (or doubles, where the middle is met first); what only climbs steeply,
    # like a root at 0, goes on with the width.
    wide = 1000 * np.maximum(high - low, [resolution(line, x) for line, x in zip(paths, high, strict=True)])
    change = np.abs(_at(what, paths, high + wide, field) - _at(what, paths, low - wide, field))
    step = np.abs(right - left)
    real = (step > _threshold() * np.array([bracket.scale for bracket in brackets])) & ~(change > 3 * step)
    found = [
        Jump(line, _snap((a + b) / 2), s, t, 0.0)
        for line, a, b, s, t, keep in zip(paths, low, high, left, right, real, strict=True)
        if keep
    ]
    return _with_centre(what, _merged(found), field)


def _threshold() -> float:
    """The least share of what is around that counts as a jump."""
    return choose(1e-5, 1e-2)


def _brackets(curve: Curve, field: str) -> list[_Bracket]:
    """Neighbouring grid points between which the field changes by more than its derivative explains."""
    f, rate = _with_rate(curve, field)
    keep = np.isfinite(f) & np.isfinite(rate)
    if keep.sum() < 3:
        return []
    x, f, rate = curve.x[keep], f[keep], rate[keep]
    with np.errstate(over="ignore"):
        jumped = np.abs(np.diff(f) - (rate[1:] / 2 + rate[:-1] / 2) * np.diff(x))
    # What is a step must stand out: near a perfect fit rounding looks like one.
    scale = np.maximum(_local_size(f, 200), choose(1e-8, 1e-3) * typical(x, f))
    scale = np.maximum(scale[1:], scale[:-1])
    return [_Bracket(curve.line, x[i], x[i + 1], scale[i]) for i in np.flatnonzero(jumped > _threshold() * scale)]


def _with_rate(curve: Curve, field: str) -> tuple[np.ndarray, np.ndarray]:
    """The field and its derivative in x; for the curvature, the lesser of the steps on either side of a point."""
    if field in _DERIVATIVE:
        return getattr(curve, field), getattr(curve, _DERIVATIVE[field])
    f = getattr(curve, field)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(f) / np.diff(curve.x)
    before, after = np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]])
    return f, np.where(np.abs(before) < np.abs(after), before, after)


def _local_size(f: np.ndarray, reach: int) -> np.ndarray:
    """The largest |f| within `reach` grid points: what counts as a jump depends on the surroundings."""
    padded = np.pad(np.abs(f), (0, -len(f) % 50)).reshape(-1, 50).max(axis=1)
    blocks = np.lib.stride_tricks.sliding_window_view(np.pad(padded, reach // 50), 2 * (reach // 50) + 1).max(axis=1)
    return np.repeat(blocks, 50)[: len(f)]


def _at(what: Subject, lines: list[Line], x: np.ndarray, field: str) -> np.ndarray:
    """The field at one coordinate of each line; lines that follow each other are asked together."""
    starts = [i for i, line in enumerate(lines) if i == 0 or line is not lines[i - 1]]
    stops = [*starts[1:], len(lines)]
    curves = follow(what, [(lines[i], x[i:j]) for i, j in zip(starts, stops, strict=True)])
    return np.concatenate([getattr(curve, field) for curve in curves])


def _bisect(what: Subject, brackets: list[_Bracket], field: str) -> tuple[np.ndarray, np.ndarray]:
    """Halve every bracket towards the half that changes more, until nothing lies between its ends."""
    lines = [bracket.line for bracket in brackets]
    low, high = np.array([bracket.low for bracket in brackets]), np.array([bracket.high for bracket in brackets])
    f_low, f_high = _at(what, lines, low, field), _at(what, lines, high, field)
    for _ in range(80):
        middle = (low + high) / 2
        if np.all((middle == low) | (middle == high)):
            break
        f = _at(what, lines, middle, field)
        to_left = np.abs(f - f_low) >= np.abs(f_high - f)
        # A NaN in the middle is where something happens: keep it in sight, and close in from both sides.
        hole = np.isnan(f)
        low, high = np.where(hole, (low + middle) / 2, low), np.where(hole, (high + middle) / 2, high)
        left, right = to_left & ~hole, ~to_left & ~hole
        high, f_high = np.where(left, middle, high), np.where(left, f, f_high)
        low, f_low = np.where(right, middle, low), np.where(right, f, f_low)
    return low, high


def _snap(x: float) -> float:
    """The short decimal within the accuracy of the bisection, 0 included."""
    short = float(f"{x:.{choose(9, 4):.0f}g}") if abs(x) > choose(1e-12, 1e-6) else 0.0
    return short if abs(short - x) <= choose(1e-12, 1e-6) * max(1.0, abs(x)) else float(x)


def _merged(found: list[Jump]) -> list[Jump]:
    """Jumps at one place, met from both sides, as one."""
    merged: list[Jump] = []
    for jump in sorted(found, key=lambda jump: (id(jump.line), jump.x)):
        if merged and merged[-1].line is jump.line and _alike(jump.x, merged[-1].x):
            merged[-1] = merged[-1]._replace(right=jump.right)
        else:
            merged.append(jump)
    return merged


def _with_centre(what: Subject, found: list[Jump], field: str) -> list[Jump]:
    if not found:
        return []
    centres = _at(what, [jump.line for jump in found], np.array([jump.x for jump in found]), field)
    return [jump._replace(at=float(centre)) for jump, centre in zip(found, centres, strict=True)]


def places(found: list[Jump]) -> tuple[float, ...]:
    """Where the jumps lie, each once, in order; lines whose target cannot be predicted have no such coordinate."""
    return tuple(jump.x + 0.0 for jump in _once(found))


def chosen(found: list[Jump]) -> tuple[float, ...]:
    """What is found at each of `places`."""
    return tuple(jump.at + 0.0 for jump in _once(found))


def _once(found: list[Jump]) -> list[Jump]:
    """The jumps of one place, met along several lines, as the first of them; in order."""
    kept: list[Jump] = []
    for jump in found:
        if hard(jump.line) and not any(_alike(jump.x, other.x) for other in kept):
            kept.append(jump)
    return sorted(kept, key=lambda jump: jump.x)


def _alike(x: float, y: float) -> bool:
    return abs(x - y) <= choose(1e-9, 1e-4) * max(1.0, abs(x))
