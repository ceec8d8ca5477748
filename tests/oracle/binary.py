"""Binary losses: functions of a logit (or a probability) and a target y."""

from collections.abc import Callable

from mpmath import mp, mpf

from ._taylor import exp, expm1, log, log1p, softplus, Taylor
from .margin import MARGIN, of_margin, wrong


def _cross_entropy(p: Taylor, y: mpf) -> Taylor:
    # -log p and all its derivatives are infinite at p = 0, with these signs; -log(1 - p) likewise at p = 1.
    yes = -log(p) if p.c[0] != 0 else Taylor(mp.inf, -mp.inf, mp.inf, -mp.inf)
    no = -log1p(-p) if p.c[0] != 1 else Taylor(*[mp.inf] * 4)
    return (y * yes if y != 0 else Taylor(mpf(0))) + ((1 - y) * no if y != 1 else 0)


def _logistic(s: Taylor, y: mpf, positive_weight: mpf, label_smoothing: mpf) -> Taylor:
    y = y * (1 - label_smoothing) + label_smoothing / 2
    return positive_weight * y * softplus(-s) + (1 - y) * softplus(s)


def _focal(s: Taylor, y: mpf, gamma: mpf, alpha: mpf | None) -> Taylor:
    weight, other = (mpf(1), mpf(1)) if alpha is None else (alpha, 1 - alpha)
    up, down = softplus(s), softplus(-s)
    return weight * y * exp(-gamma * up) * down + other * (1 - y) * exp(-gamma * down) * up


def _brier(s: Taylor, y: mpf) -> Taylor:
    error = (1 - y) * wrong(-s) - y * wrong(s)
    return error * error


def _mixed(y: mpf, loss: Callable[[Taylor], Taylor], yes: Taylor, no: Taylor) -> Taylor:
    return (y * loss(yes) if y != 0 else Taylor(mpf(0))) + ((1 - y) * loss(no) if y != 1 else 0)


def _probit(m: Taylor) -> Taylor:
    """-log Phi(m); h = phi / Phi has the derivative -h (m + h)."""
    z = m.c[0]
    if z > 1e3:
        return Taylor(mpf(0))
    # Phi(-x) = phi(x) (1/x - 1/x**3 + 3/x**5 - ...), an asymptotic series, and exact enough from 1e4 on.
    terms = [mpf((-1) ** n) * mp.fac2(2 * n - 1) / (-z) ** (2 * n + 1) for n in range(40)] if z < -1e4 else []
    h = 1 / mp.fsum(terms) if terms else mp.npdf(z) / (mp.erfc(-z / mp.sqrt(2)) / 2)
    value = z * z / 2 + mp.log(2 * mp.pi) / 2 + mp.log(h) if z < 0 else -mp.log1p(-mp.erfc(z / mp.sqrt(2)) / 2)
    bend = h * (z + h)
    return m.after(value, -h, bend, h - bend * (z + 2 * h))


def _complementary_log_log(s: Taylor, y: mpf) -> Taylor:
    u = exp(s)
    if s.c[0] < 0:
        # -log((1 - e^-u) / u) = u/2 - u**2/24 + u**4/2880 - ...
        yes = -log(-expm1(-u)) if s.c[0] > -20 else u / 2 - u * u / 24 + u * u * u * u / 2880 - s
    else:
        yes = -log1p(-exp(-u)) if s.c[0] < 20 else Taylor(mpf(0))
    return (y * yes if y != 0 else Taylor(mpf(0))) + ((1 - y) * u if y != 1 else 0)


BINARY: dict[str, Callable[..., Taylor]] = {
    "binary_cross_entropy": _cross_entropy,
    "logistic": _logistic,
    **{name: of_margin(name) for name in MARGIN},
    "focal": _focal,
    "brier": _brier,
    "probit": lambda s, y: _mixed(y, _probit, s, -s),
    "complementary_log_log": _complementary_log_log,
}
