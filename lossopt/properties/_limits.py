"""What a loss does as it approaches the ends of a line (infinity, the edge of an interval) and a perfect fit.

A ladder of points climbs towards the end. From the local power law of a derivative there, the limit of the quantity
itself follows by integration, so "it grows without bound" is a measurement and not a large number. Where no power law
holds, as for a loss that oscillates, nothing is said but whether it grows.
"""

import math
from typing import Literal, NamedTuple

import numpy as np

from ._lines import Curve, follow, hard, Line
from ._subject import choose, precision, Subject


class End(NamedTuple):
    """Points of a line that approach one of its ends; `outward` is the sign of x towards it."""

    line: Line
    kind: Literal["infinity", "edge", "fit"]
    place: float
    outward: int


class Limit(NamedTuple):
    """Limits at an end; `power` is the exponent of the slope in |x| (in 1/distance at an edge or a perfect fit).

    NaN where the loss (for its value and the power) or its slope oscillates and does not grow.
    """

    end: End
    value: float
    slope: float
    curvature: float
    power: float
    exponential: bool
    last: tuple[float, float]
    """The last coordinate reached and the slope there."""


def ends(line: Line) -> list[End]:
    """The two ends of a line, and a perfect fit inside it from both sides."""
    sides = [(line.low, -1), (line.high, 1)]
    found = [End(line, "infinity" if math.isinf(place) else "edge", place, sign) for place, sign in sides]
    if hard(line) and line.low < line.fit < line.high:
        found += [End(line, "fit", line.fit, -1), End(line, "fit", line.fit, 1)]
    return found


def limits(what: Subject, lines: list[Line]) -> list[Limit]:
    """What the loss tends to at every end of every line."""
    every = [end for line in lines for end in ends(line)]
    # To a log mean a target is known up to the rounding of its log, and so is the way to it.
    blurred = what.prediction == "log mean"
    curves = follow(what, [(end.line, _ladder(end, blurred)) for end in every])
    return [_limit(end, curve) for end, curve in zip(every, curves, strict=True)]


def _ladder(end: End, blurred: bool) -> np.ndarray:
    top = choose(30, 12)
    if blurred and end.kind == "fit":
        return end.place - end.outward * 10.0 ** -np.arange(0.5, choose(7, 3), 0.5)
    if end.kind == "infinity":
        return end.outward * 10.0 ** np.arange(-6, top + 0.5, 0.5)
    # Beside 1, a distance below the rounding of 1 cannot be taken; beside 0 it can.
    depth = top if end.place == 0 else choose(12, 5)
    if end.line.direction.ndim and end.kind == "fit":
        # A vector beside another is known to the rounding of its entries only.
        depth = choose(7, 3)
    return end.place - end.outward * 10.0 ** -np.arange(0.5, depth + 0.5, 0.5)


def _limit(end: End, curve: Curve) -> Limit:
    at_infinity = end.kind == "infinity"
    distance = np.abs(curve.x - (0.0 if at_infinity else end.place))
    usable = np.isfinite(curve.value) & np.isfinite(curve.slope) & np.isfinite(curve.curvature) & (distance > 0)
    stop = len(usable) if usable.all() else int(np.argmin(usable))
    if stop < 3:
        return Limit(end, math.nan, math.nan, math.nan, math.nan, False, (math.nan, math.nan))
    x, value, slope, curvature = (f[:stop] for f in curve[1:])
    # Curvature that is only the rounding of the slope, or that does not move it, would look like a power law.
    rounding = np.finfo(precision()).eps * np.abs(slope)
    still = np.abs(np.diff(slope, prepend=np.nan)) <= 4 * rounding
    dusty = (curvature != 0) & (still | (np.abs(curvature) * distance[:stop] < 64 * rounding))
    curvature = np.where(dusty, 0.0, curvature)
    size = distance[:stop] if at_infinity else 1 / distance[:stop]
    power, outward = _power(size, slope), end.outward
    # What oscillates follows no power law; what overflows on the way does not oscillate.
    whole = at_infinity and stop == len(usable)
    if whole and not _follows(x, slope, curvature):
        curvature_limit, slope_limit = _grown(curvature), _grown(slope)
    else:
        curvature_limit = math.nan if dusty[-1] else _settled(curvature[-1], _power(size, curvature))
        slope_limit = outward * _integrated(
            outward * slope[-1], curvature[-1], size[-1], _power(size, curvature), at_infinity
        )
    if whole and not _follows(x, value, slope):
        value_limit, power = _grown(value), math.nan
    else:
        value_limit = _integrated(value[-1], outward * slope[-1], size[-1], power, at_infinity)
    steep = at_infinity and stop < len(usable) and _steepens(size, value)
    return Limit(end, value_limit, slope_limit, curvature_limit, power, steep, (float(x[-1]), float(slope[-1])))


def _follows(x: np.ndarray, f: np.ndarray, derivative: np.ndarray) -> bool:
    """Whether f moves from rung to rung, far out, as the power law between two of its derivatives has it."""
    x, f, derivative = x[-5:], f[-5:], derivative[-5:]
    with np.errstate(all="ignore"):
        ratio = np.diff(np.log(np.abs(x)))
        power = np.diff(np.log(np.abs(derivative))) / ratio
        ends = derivative * x
        # The integral of x**power between the rungs; of 1/x it is a logarithm.
        rest = power + 1
        law = np.where(np.abs(rest) < 1e-9, ends[1:] * ratio, np.diff(ends) / rest)
        law = np.where(np.isfinite(power) & (np.sign(derivative[1:]) == np.sign(derivative[:-1])), law, 0.0)
        rounding = 256 * np.finfo(precision()).eps * (np.abs(f[1:]) + np.abs(f[:-1]))
        return bool(np.all(~(np.abs(np.diff(f) - law) > 0.03 * np.abs(law) + rounding)))


def _grown(f: np.ndarray) -> float:
    """The limit of what oscillates: infinite where it grows, else unknown."""
    middle = len(f) // 2
    early, late = np.max(np.abs(f[middle - 8 : middle])), np.max(np.abs(f[-8:]))
    return math.copysign(math.inf, f[-1]) if late > 100 * early else math.nan


def _power(size: np.ndarray, f: np.ndarray) -> float:
    """The exponent q of f ~ size**q at the far end; -inf where f has died out."""
    near, far = abs(float(f[-2])), abs(float(f[-1]))
    if far == 0 or near == 0:
        return -math.inf if far == 0 else math.inf
    return math.log(far / near) / math.log(float(size[-1] / size[-2]))


def _integrated(f: float, derivative: float, size: float, power: float, at_infinity: bool) -> float:
    """The limit of f when its outward derivative goes like size**power: the rest of the integral in closed form."""
    if derivative == 0:
        return float(f)
    slack = choose(1e-11, 1e-3)
    rest = -(power + 1) if at_infinity else 1 - power
    if rest <= slack:
        return math.copysign(math.inf, derivative)
    return float(f + derivative * (size if at_infinity else 1 / size) / rest)


def _settled(f: float, power: float) -> float:
    slack = choose(1e-10, 1e-3)
    if power > slack:
        return math.copysign(math.inf, f)
    return 0.0 if power < -slack else float(f)


def _steepens(size: np.ndarray, value: np.ndarray) -> bool:
    # The exponent of a power stays as it is; that of exp(a x) grows with x.
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.diff(np.log(np.abs(value))) / np.diff(np.log(size))
    return bool(len(powers) < 2 or powers[-1] > 1.5 * powers[-2])


def growth(limit: Limit) -> str:
    """The growth of the loss towards infinity, in one word."""
    if limit.exponential:
        return "exponential"
    slack = choose(1e-10, 1e-3)
    for power, word in ((-1.0, "logarithmic"), (0.0, "linear"), (1.0, "quadratic")):
        if abs(limit.power - power) <= slack:
            return word
    return "constant" if limit.power < -1 else "power"


def tails(found: list[Limit]) -> str | None:
    """The fastest growth in any tail; None where the prediction has no tails, or the loss oscillates in them."""
    far = [limit for limit in found if limit.end.kind == "infinity" and not math.isnan(limit.power)]
    if not far:
        return None
    return growth(max(far, key=lambda limit: math.inf if limit.exponential else limit.power))


def redescending(found: list[Limit], steepest: float) -> bool:
    """Whether the slope returns to zero in every tail."""
    far = [limit for limit in found if limit.end.kind == "infinity"]
    return bool(far) and all(abs(limit.slope) <= choose(1e-6, 1e-3) * min(steepest, 1e3) for limit in far)


def origin(found: list[Limit]) -> float | None:
    """The power of |r| that the loss follows at a perfect fit: one more than that of its slope."""
    near = [1 - limit.power for limit in found if limit.end.kind == "fit" and math.isfinite(limit.power)]
    if not near:
        return None
    least = min(near)
    return float(round(least)) if abs(least - round(least)) < choose(1e-6, 1e-2) else least
