"""Losses of a log mean s (for binomial a log-odds) and a target y: half the deviance, or its kernel."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import exp, expm1, softplus, Taylor


def _grown(s: Taylor, rate: mpf) -> Taylor:
    return s if rate == 0 else expm1(rate * s) / rate


def _tweedie_kernel(s: Taylor, y: mpf, power: mpf) -> Taylor:
    return _grown(s, 2 - power) - (_grown(s, 1 - power) * y if y != 0 else 0)


def _tweedie(s: Taylor, y: mpf, power: mpf, full: mpf) -> Taylor:
    kernel = _tweedie_kernel(s, y, power)
    if not full:
        return kernel
    if y == 0:
        return exp((2 - power) * s) / (2 - power)
    return kernel - _tweedie_kernel(Taylor(mp.log(y)), y, power).c[0]


def _entropy(y: mpf, n: int | mpf = 1) -> mpf:
    return y * mp.log(y / n) if y != 0 else mpf(0)


def _poisson(s: Taylor, y: mpf, full: mpf) -> Taylor:
    return exp(s) - y * s + (_entropy(y) - y if full else 0)


def _gamma(s: Taylor, y: mpf, full: mpf) -> Taylor:
    return s + y * exp(-s) - (mp.log(y) + 1 if full else 0)


def _inverse_gaussian(s: Taylor, y: mpf, full: mpf) -> Taylor:
    return y / 2 * exp(-2 * s) - exp(-s) + (1 / (2 * y) if full else 0)


def _negative_binomial(s: Taylor, y: mpf, dispersion: mpf, full: mpf) -> Taylor:
    if dispersion == 0:
        return _poisson(s, y, full)
    kernel = (y + 1 / dispersion) * softplus(s + mp.log(dispersion)) - y * s
    return kernel + (_entropy(y) - (y + 1 / dispersion) * mp.log1p(dispersion * y) if full else 0)


def _binomial(s: Taylor, y: mpf, trials: mpf, full: mpf) -> Taylor:
    kernel = (trials - y) * softplus(s) + y * softplus(-s)
    return kernel + (_entropy(y, trials) + _entropy(trials - y, trials) if full else 0)


COUNTS: dict[str, Callable[..., Taylor]] = {
    "poisson": _poisson,
    "gamma": _gamma,
    "inverse_gaussian": _inverse_gaussian,
    "tweedie": _tweedie,
    "negative_binomial": _negative_binomial,
    "binomial": _binomial,
}
