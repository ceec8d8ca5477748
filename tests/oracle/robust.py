"""Robust losses: functions of r."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import expm1, log1p, sin, Taylor


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


def _hampel(r: Taylor, c: mpf) -> Taylor:
    a, b, size = c / 4, c / 2, abs(r.c[0])
    r = r if r.c[0] >= 0 else -r
    if size <= a:
        return r * r / 2
    if size <= b:
        return a * r - a**2 / 2
    if size <= c:
        return a * (b - a + c) / 2 - a / (c - b) / 2 * (c - r) * (c - r)
    return Taylor(a * (b - a + c) / 2)


def _andrews(r: Taylor, c: mpf) -> Taylor:
    if abs(r.c[0]) > mp.pi * c:
        return Taylor(2 * c**2)
    half = sin(r / (2 * c))
    return 2 * c**2 * half * half


def _fair(r: Taylor, c: mpf) -> Taylor:
    u = (r if r.c[0] >= 0 else -r) / c
    return c**2 * (u - log1p(u))


def _student_t(r: Taylor, df: mpf, scale: mpf) -> Taylor:
    return r * r / 2 if mp.isinf(df) else df * scale**2 / 2 * log1p(r * r / (df * scale**2))


ROBUST: dict[str, Callable[..., Taylor]] = {
    "cauchy": lambda r, c: c**2 / 2 * log1p((r / c) * (r / c)),
    "fair": _fair,
    "welsch": lambda r, c: -(c**2) / 2 * expm1(-(r / c) * (r / c)),
    "geman_mcclure": lambda r, c: r * r / (1 + (r / c) * (r / c)) / 2,
    "tukey": _tukey,
    "hampel": _hampel,
    "andrews": _andrews,
    "truncated_quadratic": lambda r, c: Taylor(c**2 / 2) if abs(r.c[0]) > c else r * r / 2,
    "student_t": _student_t,
    "general_robust": _barron,
}
