"""Convex regression losses: functions of r; the branch is chosen by its value, and continued smoothly through it."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import exp, log1p, sqrt, Taylor


def _huber(r: Taylor, delta: mpf) -> Taylor:
    if abs(r.c[0]) <= delta:
        return r * r / 2
    return delta * ((r if r.c[0] > 0 else -r) - delta / 2)


def _log_cosh(r: Taylor, scale: mpf) -> Taylor:
    u = (r if r.c[0] >= 0 else -r) / scale
    return scale**2 * (u + log1p(exp(-2 * u)) - mp.log(2))


def _pinball(r: Taylor, level: mpf) -> Taylor:
    return Taylor(mpf(0)) if r.c[0] == 0 else r * (1 - level) if r.c[0] > 0 else -level * r


REGRESSION: dict[str, Callable[..., Taylor]] = {
    "squared_error": lambda r: r * r,
    "half_squared_error": lambda r: r * r / 2,
    "absolute_error": lambda r: Taylor(mpf(0)) if r.c[0] == 0 else r if r.c[0] > 0 else -r,
    "huber": _huber,
    "pseudo_huber": lambda r, delta: delta**2 * (sqrt(1 + (r / delta) * (r / delta)) - 1),
    "log_cosh": _log_cosh,
    "quantile": _pinball,
    "expectile": lambda r, level: (1 - level if r.c[0] > 0 else level) * r * r,
}
