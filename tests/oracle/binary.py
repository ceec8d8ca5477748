"""Binary losses: functions of a logit (or a probability) and a target y."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import exp, log, log1p, softplus, Taylor


def _cross_entropy(p: Taylor, y: mpf) -> Taylor:
    # -log p and all its derivatives are infinite at p = 0, with these signs; -log(1 - p) likewise at p = 1.
    yes = -log(p) if p.c[0] != 0 else Taylor(mp.inf, -mp.inf, mp.inf, -mp.inf)
    no = -log1p(-p) if p.c[0] != 1 else Taylor(*[mp.inf] * 4)
    return (y * yes if y != 0 else Taylor(mpf(0))) + ((1 - y) * no if y != 1 else 0)


def _logistic(s: Taylor, y: mpf, positive_weight: mpf, label_smoothing: mpf) -> Taylor:
    y = y * (1 - label_smoothing) + label_smoothing / 2
    return positive_weight * y * softplus(-s) + (1 - y) * softplus(s)


def _hinge(s: Taylor, y: mpf) -> Taylor:
    m = (2 * y - 1) * s
    return Taylor(mpf(0)) if m.c[0] >= 1 else 1 - m


def _focal(s: Taylor, y: mpf, gamma: mpf, alpha: mpf | None) -> Taylor:
    weight, other = (mpf(1), mpf(1)) if alpha is None else (alpha, 1 - alpha)
    up, down = softplus(s), softplus(-s)
    return weight * y * exp(-gamma * up) * down + other * (1 - y) * exp(-gamma * down) * up


BINARY: dict[str, Callable[..., Taylor]] = {
    "binary_cross_entropy": _cross_entropy,
    "logistic": _logistic,
    "hinge": _hinge,
    "squared_hinge": lambda s, y: _hinge(s, y) * _hinge(s, y),
    "focal": _focal,
}
