"""Convex regression losses: functions of r; the branch is chosen by its value, and continued smoothly through it."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import exp, expm1, log1p, softplus, sqrt, Taylor


def _huber(r: Taylor, delta: mpf) -> Taylor:
    if abs(r.c[0]) <= delta:
        return r * r / 2
    return delta * ((r if r.c[0] > 0 else -r) - delta / 2)


def _log_cosh(r: Taylor, scale: mpf) -> Taylor:
    u = (r if r.c[0] >= 0 else -r) / scale
    return scale**2 * (u + log1p(exp(-2 * u)) - mp.log(2))


def _pinball(r: Taylor, level: mpf) -> Taylor:
    return Taylor(mpf(0)) if r.c[0] == 0 else r * (1 - level) if r.c[0] > 0 else -level * r


def _smooth_pinball(r: Taylor, level: mpf, bandwidth: mpf) -> Taylor:
    return bandwidth * softplus(r / bandwidth) - level * r


def _insensitive(r: Taylor, epsilon: mpf, least: mpf) -> Taylor:
    """max(0, |r| - epsilon), outside from |r| - epsilon = least on."""
    size = r if r.c[0] >= 0 else -r
    return size - epsilon if size.c[0] - epsilon >= least else Taylor(mpf(0))


def _squared_insensitive(r: Taylor, epsilon: mpf) -> Taylor:
    outside = _insensitive(r, epsilon, mpf(0))
    return outside * outside


def _linex(r: Taylor, a: mpf) -> Taylor:
    return r * r if a == 0 else 2 / a**2 * (expm1(a * r) - a * r)


def _power(r: Taylor, p: mpf) -> Taylor:
    size = r if r.c[0] >= 0 else -r
    x = size.c[0]
    if x == 0:
        # The derivatives of x**p at 0, and 0 for the slope at p = 1.
        return Taylor(mpf(0), mpf(0), mp.inf if 1 < p < 2 else mpf(p == 2), mpf(p == 3))
    return size.after(x**p, p * x ** (p - 1), p * (p - 1) * x ** (p - 2), p * (p - 1) * (p - 2) * x ** (p - 3))


REGRESSION: dict[str, Callable[..., Taylor]] = {
    "squared_error": lambda r: r * r,
    "half_squared_error": lambda r: r * r / 2,
    "absolute_error": lambda r: Taylor(mpf(0)) if r.c[0] == 0 else r if r.c[0] > 0 else -r,
    "huber": _huber,
    "pseudo_huber": lambda r, delta: delta**2 * (sqrt(1 + (r / delta) * (r / delta)) - 1),
    "log_cosh": _log_cosh,
    "quantile": _pinball,
    "smooth_quantile": _smooth_pinball,
    "epsilon_insensitive": lambda r, epsilon: _insensitive(r, epsilon, mp.mpf(10) ** -1000),
    "squared_epsilon_insensitive": _squared_insensitive,
    "linex": _linex,
    "power_error": _power,
    "expectile": lambda r, level: (1 - level if r.c[0] > 0 else level) * r * r,
}
