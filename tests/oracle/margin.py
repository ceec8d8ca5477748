"""Losses of the margin m; the branch is chosen by the value of m."""

from collections.abc import Callable
from typing import Any

from mpmath import mpf

from ._taylor import exp, Taylor


ZERO = Taylor(mpf(0))


def _hinge(m: Taylor) -> Taylor:
    return ZERO if m.c[0] >= 1 else 1 - m


def _smoothed_hinge(m: Taylor, width: mpf) -> Taylor:
    if m.c[0] >= 1:
        return ZERO
    return (1 - m) * (1 - m) / (2 * width) if m.c[0] >= 1 - width else 1 - m - width / 2


def _modified_huber(m: Taylor) -> Taylor:
    return _hinge(m) * _hinge(m) if m.c[0] >= -1 else -4 * m


def wrong(m: Taylor) -> Taylor:
    """1 / (1 + exp(m)), without the exponential of a large number."""
    return exp(-m) / (1 + exp(-m)) if m.c[0] > 0 else 1 / (1 + exp(m))


MARGIN: dict[str, Callable[..., Taylor]] = {
    "hinge": _hinge,
    "squared_hinge": lambda m: _hinge(m) * _hinge(m),
    "smoothed_hinge": _smoothed_hinge,
    "modified_huber": _modified_huber,
    "perceptron": lambda m: ZERO if m.c[0] > 0 else -m,
    "exponential": lambda m: exp(-m),
    "sigmoid_margin": wrong,
    "savage": lambda m: wrong(2 * m) * wrong(2 * m),
    "ramp": lambda m: Taylor(mpf(2)) if m.c[0] <= -1 else _hinge(m),
    "unhinged": lambda m: 1 - m,
}


def of_margin(name: str) -> Callable[..., Any]:
    """The loss as a function of the score and the target."""
    return lambda s, y, **given: MARGIN[name]((2 * y - 1) * s, **given)
