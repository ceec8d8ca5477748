"""Robust losses: functions of r."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import expm1, log1p, Taylor


def _tukey(r: Taylor, c: mpf) -> Taylor:
    if abs(r.c[0]) >= c:
        return Taylor(c**2 / 6)
    gap = 1 - (r / c) * (r / c)
    return c**2 / 6 * (1 - gap * gap * gap)


def _barron(r: Taylor, alpha: mpf, c: mpf) -> Taylor:
    square = (r / c) * (r / c)
    if alpha == 2:
        return square / 2
    if alpha == 0:
        return log1p(square / 2)
    if mp.isinf(alpha):
        return expm1(square / 2) if alpha > 0 else -expm1(-square / 2)
    b = abs(alpha - 2)
    return b / alpha * expm1(alpha / 2 * log1p(square / b))


ROBUST: dict[str, Callable[..., Taylor]] = {
    "cauchy": lambda r, c: c**2 / 2 * log1p((r / c) * (r / c)),
    "tukey": _tukey,
    "general_robust": _barron,
}
