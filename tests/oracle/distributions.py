"""Losses of a location and a log scale, and of the ends of intervals: formulas in Jets."""

import math
from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from ._exact import Exact
from ._jet import exp, Jet, jet_truth, log1p, normal_cdf, total


def _size(r: Jet) -> Jet:
    """|r|, with slope 0 at 0."""
    return r * 0 if r.value == 0 else abs(r)


def _gaussian(r: Jet, t: Jet) -> Jet:
    z = r * exp(-t)
    return t + z * z / 2


def _logistic(r: Jet, t: Jet) -> Jet:
    z = r * exp(-t)
    # log cosh(z/2): only even powers of z, so |z| is smooth here.
    u = -z if z.value < 0 else z
    return t + u + 2 * log1p(exp(-u)) - 2 * mp.log(2)


def _student(r: Jet, t: Jet, df: mpf) -> Jet:
    if mp.isinf(df):
        return _gaussian(r, t)
    z = r * exp(-t)
    return t + (df + 1) / 2 * log1p(z * z / df)


def _density(z: Jet) -> Jet:
    return exp(-(z * z) / 2) / mp.sqrt(2 * mp.pi)


def _crps_gaussian(r: Jet, t: Jet) -> Jet:
    z = r * exp(-t)
    return exp(t) * (z * (2 * normal_cdf(z) - 1) + 2 * _density(z) - 1 / mp.sqrt(mp.pi))


def _crps_laplace(r: Jet, t: Jet) -> Jet:
    z = r * exp(-t)
    if z.value == 0:
        # e^-|z| + |z| is 1 + z**2 / 2 up to a term of third order.
        return exp(t) * (z * z / 2 + mpf(1) / 4)
    return exp(t) * (abs(z) + exp(-abs(z)) - mpf(3) / 4)


def _crps_logistic(r: Jet, t: Jet) -> Jet:
    z = r * exp(-t)
    u = -z if z.value < 0 else z
    return exp(t) * (u + 2 * log1p(exp(-u)) - 1)


def _constant(name: str, given: dict[str, Any]) -> mpf:
    if name == "laplace_nll":
        return mp.log(2)
    if name == "logistic_nll":
        return mp.log(4)
    df = given.get("df", mp.inf)
    if mp.isinf(df):
        return mp.log(2 * mp.pi) / 2
    return mp.log(mp.pi * df) / 2 + mp.loggamma(df / 2) - mp.loggamma((df + 1) / 2)


LOCATED: dict[str, Callable[..., Jet]] = {
    "gaussian_nll": _gaussian,
    "laplace_nll": lambda r, t: t + _size(r) * exp(-t),
    "logistic_nll": _logistic,
    "student_t_nll": _student,
    "crps_gaussian": _crps_gaussian,
    "crps_laplace": _crps_laplace,
    "crps_logistic": _crps_logistic,
}


def _short(r: Jet) -> Jet:
    return r if r.value > 0 else r * 0


def _interval(ends: list[Jet], y: mpf, coverage: mpf) -> Jet:
    """The textbook's form, but for the sub-gradient 0 where an end is the target."""
    low, high = ends[0] - y, ends[1] - y
    width = (high if high.value != 0 else high * 0) - (low if low.value != 0 else low * 0)
    return width + 2 / (1 - coverage) * (_short(low) + _short(-high))


def _weighted(entries: list[Jet], y: mpf, coverages: list[mpf]) -> Jet:
    k = len(coverages)
    parts = [_size(entries[k] - y) / 2]
    for i, coverage in enumerate(coverages):
        ends = [entries[k - 1 - i], entries[k + 1 + i]]
        parts.append((1 - coverage) / 2 * _interval(ends, y, coverage))
    return total(parts) / (k + mpf(1) / 2)


ENDS: dict[str, Callable[..., Jet]] = {"interval_score": _interval, "weighted_interval_score": _weighted}
DISTRIBUTIONS = (*LOCATED, *ENDS)


def distribution_truth(name: str, prediction: list[float], target: float, given: dict[str, Any]) -> Exact:
    """Value, gradient and Hessian."""
    decades = [abs(math.log10(abs(x))) for x in [*prediction, target] if x != 0]
    digits = 60 + int(2.2 * max(decades, default=0))
    if name in LOCATED:
        z = abs(prediction[0] - target) * math.exp(-prediction[1])
        # Beside 1, exp(-z) and exp(-z**2 / 2) count as long as a float can hold them.
        digits += int(abs(prediction[1]) + min(0.45 * max(z, z * z / 2), 350))
    with mp.workdps(digits):
        settings = {key: [mpf(v) for v in x] if isinstance(x, list) else mpf(x) for key, x in given.items()}
        full = settings.pop("full", 0)
        added = full * _constant(name, settings) if full else 0

    def formula(at: list[Jet], y: mpf) -> Jet:
        return ENDS[name](at, y, **settings) if name in ENDS else LOCATED[name](at[0] - y, at[1], **settings) + added

    return jet_truth(formula, prediction, target, digits)
