"""`check`: everything that can be measured of a loss, put together into a Report."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import losses
from . import _counts, _differences, _elicits, _extremes, _kinks, _laws, _limits, _noise
from ._functionals import explanations, Point
from ._lines import Curve, far_targets, follow, grid, hard, Line, lines
from ._report import findings, Report
from ._subject import choose, precision, Subject, subject
from ._warnings import warnings


class Survey(NamedTuple):
    """One loss, followed along its lines: what every measurement starts from."""

    what: Subject
    curves: list[Curve]
    limits: list[_limits.Limit]
    kinks: list[_kinks.Jump]
    steps: list[_kinks.Jump]
    seed: int


class Measurement(NamedTuple):
    """What was found of a loss before its card is looked at."""

    report: Report
    what: Subject
    minimisers: list[Point]
    given: Mapping[str, Any]


def check(
    loss: losses.Loss,
    *,
    task: str | None = None,
    prediction: str | None = None,
    target: str | None = None,
    classes: int = 3,
    seed: int = 0,
) -> Report:
    """Measure a loss: any function `(prediction, target) -> number`, bound or not, registered or your own.

    Slopes are compared with differences, kinks are found, constants are sup and inf over grids that are closed in
    on, limits at infinity are extrapolated by the local power law where one holds, and constants are fitted to samples
    to see what the loss elicits. Nothing is taken from a card, which is only compared with what was found.

    Measured in float64 where JAX has it enabled, else in float32 with wider tolerances.

    Args:
        loss: the loss. Your own is called with scalars (for multiclass, a vector and an integer).
        task: of a loss without a card: "regression" (the default), "binary" or "multiclass".
        prediction, target: of a loss without a card, what its arguments hold, if not what is usual for the task
            ("real", "real"; "logit", "binary"; "logits", "label"), as on a LossCard.
        classes: number of classes of a multiclass loss.
        seed: of the random starting points (multiclass only).

    Raises:
        ValueError: the loss does not give one floating number an example, or the task or the kinds are unknown.
    """
    found = measure(loss, subject(loss, task, prediction, target, classes), seed)
    return judged(losses.card(loss), found) if losses.has_card(loss) else found.report


def measure(loss: losses.Loss, what: Subject, seed: int = 0) -> Measurement:
    """Everything that can be measured of a loss."""
    minimisers = _elicits.locations(what) if _has_scale(what) else []
    given = losses.hyperparameters(loss)
    return Measurement(_measured(_survey(what, seed), minimisers, given), what, minimisers, given)


def judged(card: losses.LossCard, found: Measurement) -> Report:
    """The report with a finding for every claim of a card."""
    return dataclasses.replace(found.report, findings=findings(card, *found))


def _has_scale(what: Subject) -> bool:
    """Whether the target is an amount, to a sample of which a constant can be fitted, and not a class."""
    return what.task in ("regression", "distribution") or what.prediction == "log mean"


def _survey(what: Subject, seed: int) -> Survey:
    paths = lines(what)
    curves = [_distinct(curve) for curve in follow(what, [(line, grid(line)) for line in paths])]
    kinks, steps = (_kinks.jumps(what, curves, field) for field in ("slope", "value"))
    return Survey(what, curves, _limits.limits(what, paths), kinks, steps, seed)


def _distinct(curve: Curve) -> Curve:
    _, first = np.unique(curve.x, return_index=True)
    return Curve(curve.line, *(f[first] for f in curve[1:]))


def _measured(survey: Survey, minimisers: list[Point], given: Mapping[str, Any]) -> Report:
    what = survey.what
    errors = _errors(survey)
    extremes = _extremes_of(survey)
    shared: dict[str, Any] = {
        "loss": what.name,
        "task": what.task,
        "precision": str(precision()),
        "gradient_error": errors.slope.error,
        "curvature_error": errors.curvature.error,
        "kinks": _kinks.places(survey.kinks),
        "subgradients": _kinks.chosen(survey.kinks),
        "redescending": _limits.redescending(survey.limits, extremes["lipschitz"]),
        "origin": _limits.origin(survey.limits),
        "tails": _limits.tails(survey.limits),
        "zero_at_perfect_fit": _zero_at_perfect_fit(survey),
        **extremes,
    }
    special = _of_sample(survey, minimisers, given) if _has_scale(what) else _of_classification(survey)
    report = Report(**shared, **special)
    told = warnings(what, report, survey.curves, survey.kinks, survey.steps, errors)
    return dataclasses.replace(report, warnings=told)


def _errors(survey: Survey) -> _differences.Errors:
    found = _differences.along(survey.what, survey.curves, {kink.x for kink in survey.kinks})
    if not survey.what.of_vector:
        return found
    points, targets = _starts(survey)
    return found._replace(slope=max(found.slope, _differences.across(survey.what, points, targets, survey.seed)))


def _starts(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of predictions, each with the target of every line."""
    points = _extremes.sample(survey.what, survey.seed)
    targets = np.concatenate([np.repeat(curve.line.target[None], len(points), axis=0) for curve in survey.curves])
    return np.tile(points, (len(survey.curves), 1)), targets


def _extremes_of(survey: Survey) -> dict[str, float]:
    """Constants: the extremes inside, together with the limits at the ends and the jumps of the slope."""
    limits, inside = survey.limits, _inner_extremes(survey)
    slopes, bends = _outer_slopes(survey), _outer_bends(survey)
    steepest = _greatest(inside["slope"], slopes)
    scale = steepest if math.isfinite(steepest) else 1.0
    # A step is a kink of the slope of any height, both up and down.
    bends = [*bends, *[math.inf, -math.inf] * bool(survey.steps)]
    return {
        "lipschitz": _plain(steepest, scale),
        "smoothness": _plain(_greatest(inside["curvature"], bends), scale),
        "least_curvature": _plain(-_greatest(inside["least_curvature"], [-bend for bend in bends]), scale),
        "supremum": _plain(_greatest(inside["value"], [limit.value for limit in limits]), 1.0),
        "infimum": _plain(-_greatest(inside["least_value"], [-limit.value for limit in limits]), 1.0),
    }


def _inner_extremes(survey: Survey) -> dict[str, float]:
    what = survey.what
    if not what.of_vector:
        far = far_targets(what)
        if not far:
            return _extremes.along(what, survey.curves)
        more = follow(what, [(line, grid(line)) for line in far])
        return _extremes.unbounded(_extremes.along(what, survey.curves + more))
    inside = _extremes.across(what, *_starts(survey), survey.seed)
    if what.prediction == "location and log scale":
        return _extremes.unbounded(inside)
    if what.prediction == "probabilities":
        return inside
    targets = np.unique(np.array([curve.line.target for curve in survey.curves]), axis=0)
    shrunk = _extremes.at_zero(what, targets, survey.seed)
    return {name: max(found, shrunk[name]) for name, found in inside.items()}


def _outer_slopes(survey: Survey) -> list[float]:
    slopes = [abs(limit.slope) for limit in survey.limits]
    slopes += [abs(side) for kink in survey.kinks for side in (kink.left, kink.right)]
    # Along a line the slope of a vector is a component: only growth without bound says something about the norm.
    return [slope for slope in slopes if math.isinf(slope)] if survey.what.of_vector else slopes


def _outer_bends(survey: Survey) -> list[float]:
    """Curvatures at the ends, and an infinite one at each kink, with its sign."""
    vector = survey.what.of_vector
    bends = [limit.curvature for limit in survey.limits if math.isinf(limit.curvature) or not vector]
    return bends + [math.copysign(math.inf, kink.right - kink.left) for kink in survey.kinks]


def _greatest(first: float, others: list[float]) -> float:
    return max([first, *(other for other in others if not math.isnan(other))])


def _plain(x: float, scale: float) -> float:
    """A number that a person can read: no dust around 0, and no digits beyond the accuracy of the measurement."""
    if abs(x) <= choose(1e-10, 1e-5) * scale:
        return 0.0
    return float(f"{x:.12g}")


def _zero_at_perfect_fit(survey: Survey) -> bool:
    """Exactly 0: at the target itself, or, where only an infinite logit states the target, from some margin on."""
    fits = [(line, np.array([8.0 if math.isinf(line.fit) else line.fit])) for line in _hard_lines(survey)]
    # The log of a target is rounded, and with it what is nearest to a perfect fit.
    slack = choose(1e-25, 1e-10) if survey.what.prediction == "log mean" else 0.0
    return all(abs(curve.value[0]) <= slack for curve in follow(survey.what, fits))


def _hard_lines(survey: Survey) -> list[Line]:
    return [curve.line for curve in survey.curves if hard(curve.line)]


def _of_sample(survey: Survey, minimisers: list[Point], given: Mapping[str, Any]) -> dict[str, Any]:
    if survey.what.task == "regression":
        return _of_regression(survey, minimisers, given)
    what, located = survey.what, survey.what.prediction == "location and log scale"
    homes = _laws.at_home(what, given) if located else ()
    names = (*explanations(what, minimisers, given), *_laws.named(homes))
    likelihoods = _laws.likelihoods(what, given) if located else _counts.of_log_mean(what) if not what.of_vector else ()
    shapes = [_noise.shape_of(what, line, (math.nan, math.nan)) for line in _hard_lines(survey)]
    return {
        "symmetric": all(_noise.symmetric(shape) for shape in shapes),
        "elicits": names[0] if names else None,
        "proper": bool(homes) if located else None,
        "calibrated": None,
        "noise_symmetric": None,
        "efficiency": None,
        "noise": likelihoods,
    }


def _of_regression(survey: Survey, minimisers: list[Point], given: Mapping[str, Any]) -> dict[str, Any]:
    usable = [curve for curve in survey.curves if np.isfinite(curve.value).mean() > 0.5] or survey.curves
    shapes = [_noise.shape_of(survey.what, curve.line, _far_right(survey, curve)) for curve in usable]
    symmetric = all(_noise.symmetric(shape) for shape in shapes)
    # Of a prediction beside a target of another kind it is no density of the residual, whatever its shape.
    alike = survey.what.target == "real" and not survey.what.of_vector and _noise.alike(shapes)
    return {
        "symmetric": symmetric,
        "elicits": _functional(survey.what, minimisers, shapes[0], given),
        "proper": None,
        "calibrated": None,
        "noise_symmetric": None,
        "efficiency": _efficiency(survey, usable[0]) if symmetric and alike else None,
        "noise": _noise.of_residuals(shapes[0]) if alike else (),
    }


def _far_right(survey: Survey, curve: Curve) -> tuple[float, float]:
    ends = (limit for limit in survey.limits if limit.end.line is curve.line and limit.end.kind == "infinity")
    return next(limit.last for limit in ends if limit.end.outward > 0)


def _functional(what: Subject, minimisers: list[Point], shape: _noise.Shape, given: Mapping[str, Any]) -> str | None:
    """The name of what was elicited, at a level read from the loss at residuals 1 and -1, or else at what is bound."""
    left, right = shape.left[_noise.ONE], shape.right[_noise.ONE]
    level = float(left / (left + right)) if 0 < left + right < math.inf else 0.5
    level = min(max(level, 1e-6), 1 - 1e-6)
    names = explanations(what, minimisers, {**given, "level": level}) or explanations(what, minimisers, given)
    if not names:
        return None
    return f"{names[0]} at level {level:.6g}" if names[0] in ("quantile", "expectile") else names[0]


def _efficiency(survey: Survey, main: Curve) -> float | None:
    near = np.abs(main.x) < 10
    part = Curve(main.line, *(f[near] for f in main[1:]))
    breaks = _kinks.places(survey.kinks) + _kinks.places(_kinks.jumps(survey.what, [part], "curvature"))
    found = _noise.gaussian_efficiency(survey.what, main.line, breaks)
    return None if found is None else _plain(found, 1.0)


def _of_classification(survey: Survey) -> dict[str, Any]:
    table, exchanged = _noise.over_targets(survey.what)
    elicited = _elicits.of_multiclass(survey.what) if survey.what.of_vector else _elicits.of_binary(survey.what)
    slack = choose(1e-9, 1e-4)
    total = table.sum(axis=0)
    return {
        "symmetric": bool(np.allclose(table, exchanged, rtol=slack, atol=slack)),
        "elicits": elicited.name,
        "proper": elicited.proper,
        "calibrated": elicited.calibrated,
        "noise_symmetric": bool(np.ptp(total) <= slack * np.abs(total).max()),
        "efficiency": None,
        "noise": (
            _counts.of_successes(survey.what)
            if survey.what.target == "successes"
            else _noise.of_classes(survey.what, table)
        ),
    }
