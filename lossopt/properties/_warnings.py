"""What a person should know about a loss before using it, one sentence each."""

from collections.abc import Iterator

import numpy as np

from ._differences import Errors
from ._kinks import Jump, places
from ._lines import Curve, hard
from ._report import Report
from ._subject import choose, Subject


def warnings(
    what: Subject, report: Report, curves: list[Curve], kinks: list[Jump], steps: list[Jump], errors: Errors
) -> tuple[str, ...]:
    """Everything about a loss that would surprise; it has kinks where its slope jumps, and steps where it does."""
    found = [*_missing(curves), *_wrong_slope(errors), *_at_kinks(kinks), *_at_steps(steps)]
    if what.task == "regression":
        found += _misplaced(report, curves)
    return tuple(found)


def _missing(curves: list[Curve]) -> Iterator[str]:
    """NaN in the loss, or else in a derivative whose loss is finite, at the place nearest to 0."""
    for field, name in (("value", "loss"), ("slope", "gradient"), ("curvature", "second derivative")):
        holes = [np.isnan(getattr(curve, field)) & (np.isfinite(curve.value) | (field == "value")) for curve in curves]
        worst = int(np.argmax([hole.sum() for hole in holes]))
        if not holes[worst].any():
            continue
        curve, hole = curves[worst], holes[worst]
        where = curve.x[hole][np.argmin(np.abs(curve.x[hole]))]
        yield (
            f"The {name} is NaN at {hole.sum()} of {hole.size} places for target {np.array2string(curve.line.target)}, "
            f"as at {_coordinate(curve)} {where:.6g}: guard every branch of the formula there (the double where)."
        )
        return


def _coordinate(curve: Curve) -> str:
    if np.isfinite(curve.line.high):
        return "probability"
    return "residual" if curve.line.fit == 0 else "margin"


def _wrong_slope(errors: Errors) -> Iterator[str]:
    slope, bend, rounding = errors
    if slope.error > choose(1e-5, 1e-2):
        yield (
            f"The gradient is {slope.returned:.6g} at {slope.x:.6g}, but differences of the loss give "
            f"{slope.expected:.6g}: a custom derivative rule or a stop_gradient is wrong."
        )
    elif bend.error > choose(1e-5, 1e-2):
        yield (
            f"The second derivative is {bend.returned:.6g} at {bend.x:.6g}, but differences of the gradient give "
            f"{bend.expected:.6g}: do not use it where curvature matters (Newton's method, a Hessian)."
        )
    if rounding.error > choose(1e-4, 1e-2):
        yield (
            f"Rounding leaves {rounding.returned:.3g} ± {rounding.expected:.1g} of the loss at {rounding.x:.3g}: "
            "a difference of nearly equal numbers loses the digits there (log1p, expm1 or a factored form keeps them)."
        )


def _at_kinks(kinks: list[Jump]) -> Iterator[str]:
    """A slope at a kink that is no sub-gradient, or not 0 where the fit is perfect."""
    for kink in kinks:
        low, high = sorted((kink.left, kink.right))
        slack = 1e-6 * (high - low)
        if np.isnan(kink.at):
            continue
        if not low - slack <= kink.at <= high + slack:
            yield f"The slope at the kink {kink.x:.6g} is {kink.at:.6g}, which lies outside [{low:.6g}, {high:.6g}]."
            return
        if kink.x == kink.line.fit and low <= 0 <= high and kink.at != 0:
            yield f"The slope at a perfect fit is {kink.at:.6g}, not 0: a model that fits would be pushed away."
            return


def _at_steps(steps: list[Jump]) -> Iterator[str]:
    if found := places(steps):
        yield f"The loss jumps at {', '.join(f'{x:.6g}' for x in found)}: no gradient sees the step."


def _misplaced(report: Report, curves: list[Curve]) -> Iterator[str]:
    """A minimum that is not 0, or not at the target."""
    if not report.zero_at_perfect_fit:
        yield "The loss is not 0 when the prediction equals the target, so its value does not say how good a fit is."
    for curve in curves:
        if not hard(curve.line) or not np.isfinite(curve.value).any():
            continue
        best = int(np.argmin(np.where(np.isfinite(curve.value), curve.value, np.inf)))
        at_fit = curve.value[np.argmin(np.abs(curve.x - curve.line.fit))]
        near = np.abs(curve.value[np.abs(curve.x) <= 1])
        size = np.max(near, where=~np.isnan(near), initial=0.0)
        if curve.value[best] < at_fit - choose(1e-12, 1e-5) * size:
            least, place = curve.value[best], curve.x[best]
            yield f"The loss is less ({least:.6g}) at residual {place:.6g} than at a perfect fit."
            return
