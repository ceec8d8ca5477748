"""Every loss again, from the textbook's formula, in extended precision with exact derivatives: what is true.

A `Taylor` carries the coefficients of a function at one point through arithmetic, so a formula written once gives the
value and three derivatives. Nothing is shared with the library.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf


class Taylor:
    """f(x + h) = a + b h + c h**2 + d h**3 + ..., with + - * and /."""

    __slots__ = ("c",)

    def __init__(self, a: Any, b: Any = 0, c: Any = 0, d: Any = 0):
        self.c = (a, b, c, d)

    @classmethod
    def variable(cls, x: mpf) -> "Taylor":
        """x itself."""
        return cls(x, mpf(1))

    def derivatives(self) -> list[mpf]:
        """f and its first three derivatives."""
        return [mpf(coefficient) * factor for coefficient, factor in zip(self.c, (1, 1, 2, 6), strict=True)]

    def __add__(self, other):
        a, b, c, d = self.c
        if not isinstance(other, Taylor):
            return Taylor(a + other, b, c, d)
        e, f, g, h = other.c
        return Taylor(a + e, b + f, c + g, d + h)

    def __mul__(self, other):
        a, b, c, d = self.c
        if not isinstance(other, Taylor):
            return Taylor(a * other, b * other, c * other, d * other)
        e, f, g, h = other.c
        return Taylor(a * e, a * f + b * e, a * g + b * f + c * e, a * h + b * g + c * f + d * e)

    def __neg__(self):
        return Taylor(*(-coefficient for coefficient in self.c))

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * (1 / other)

    def __rtruediv__(self, other):
        y = self.c[0]
        return self.after(1 / y, -1 / y**2, 2 / y**3, -6 / y**4) * other

    __radd__, __rmul__ = __add__, __mul__

    def after(self, g: mpf, g1: mpf, g2: mpf, g3: mpf) -> "Taylor":
        """g(f), given g and its derivatives at the value of f."""
        _, b, c, d = self.c
        return Taylor(g, g1 * b, g1 * c + g2 * b * b / 2, g1 * d + g2 * b * c + g3 * b * b * b / 6)


def exp(f: Taylor) -> Taylor:
    # Below 1e-43000 nothing is left in any float, and the exact number would take long.
    y = mp.exp(f.c[0]) if f.c[0] > -1e5 else mpf(0)
    return f.after(y, y, y, y)


def expm1(f: Taylor) -> Taylor:
    y = mp.exp(f.c[0])
    return f.after(mp.expm1(f.c[0]), y, y, y)


def log1p(f: Taylor) -> Taylor:
    y = 1 + f.c[0]
    return f.after(mp.log1p(f.c[0]), 1 / y, -1 / y**2, 2 / y**3)


def log(f: Taylor) -> Taylor:
    y = f.c[0]
    return f.after(mp.log(y), 1 / y, -1 / y**2, 2 / y**3)


def sqrt(f: Taylor) -> Taylor:
    y = mp.sqrt(f.c[0])
    return f.after(y, 1 / (2 * y), -1 / (4 * y**3), 3 / (8 * y**5))


def softplus(f: Taylor) -> Taylor:
    return log1p(exp(f)) if f.c[0] < 0 else f + log1p(exp(-f))


def digits(x: float) -> int:
    """Enough digits that 1 + x**2 still knows its smaller part."""
    return 60 if x == 0 else 60 + int(2.2 * abs(math.log10(abs(x))))


# Regression: functions of r; the branch is chosen by the value of r, and continued smoothly through it.


def _huber(r: Taylor, delta: mpf) -> Taylor:
    if abs(r.c[0]) <= delta:
        return r * r / 2
    return delta * ((r if r.c[0] > 0 else -r) - delta / 2)


def _log_cosh(r: Taylor, scale: mpf) -> Taylor:
    u = (r if r.c[0] >= 0 else -r) / scale
    return scale**2 * (u + log1p(exp(-2 * u)) - mp.log(2))


def _pinball(r: Taylor, level: mpf) -> Taylor:
    return Taylor(mpf(0)) if r.c[0] == 0 else r * (1 - level) if r.c[0] > 0 else -level * r


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


REGRESSION: dict[str, Callable[..., Taylor]] = {
    "squared_error": lambda r: r * r,
    "half_squared_error": lambda r: r * r / 2,
    "absolute_error": lambda r: Taylor(mpf(0)) if r.c[0] == 0 else r if r.c[0] > 0 else -r,
    "huber": _huber,
    "pseudo_huber": lambda r, delta: delta**2 * (sqrt(1 + (r / delta) * (r / delta)) - 1),
    "log_cosh": _log_cosh,
    "quantile": _pinball,
    "expectile": lambda r, level: (1 - level if r.c[0] > 0 else level) * r * r,
    "cauchy": lambda r, c: c**2 / 2 * log1p((r / c) * (r / c)),
    "tukey": _tukey,
    "general_robust": _barron,
}


# Binary: functions of a logit (or a probability) and a target y.


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


def truth(name: str, prediction: float, target: float, hyperparameters: dict[str, Any]) -> list[mpf]:
    """The loss of one number and its first three derivatives in the prediction, from the exact values of the floats."""
    with mp.workdps(digits(prediction - target) if name in REGRESSION else digits(prediction)):
        settings = {key: None if value is None else mpf(value) for key, value in hyperparameters.items()}
        x = mpf(prediction) - (mpf(target) if name in REGRESSION else 0)
        variable = Taylor.variable(x)
        found = (
            REGRESSION[name](variable, **settings)
            if name in REGRESSION
            else BINARY[name](variable, mpf(target), **settings)
        )
        return [+d for d in found.derivatives()]


# Multiclass, in closed form: for each order the entries, each with its sensitivity to the rounding of the inputs.


def softmax_truth(logits: Sequence[float], label: Any, given: dict[str, Any]) -> list[list[tuple[mpf, mpf]]]:
    """Value, gradient and Hessian of the softmax losses against an integer or a vector of probabilities."""
    with mp.workdps(400):
        weight, q = _soft_label(len(logits), label, given)
        top = max(mpf(x) for x in logits)
        # Only differences of logits count, and each is rounded; a masked class is exact.
        z = [mpf(x) - top for x in logits]
        e = [mp.exp(x) for x in z]
        p, mass, normaliser = [x / mp.fsum(e) for x in e], mp.fsum(q), mp.log(mp.fsum(e))
        size = [abs(x) if not mp.isinf(x) else mpf(0) for x in z]
        spread = mp.fsum(s * x for s, x in zip(size, p, strict=True))
        soft = 0 if set(q) <= {0, 1} else 1
        slope = [(mass * x - y, s * x + spread * x + soft * (x + y)) for x, y, s in zip(p, q, size, strict=True)]
        value = mp.fsum(y * (normaliser - x) for y, x in zip(q, z, strict=True) if y != 0)
        sensitivity = mp.fsum(s * abs(g) for s, (g, _) in zip(size, slope, strict=True)) + soft * abs(value)
        hessian = [
            (
                mass * p[i] * ((i == j) - p[j]),
                p[i] * (p[j] if i != j else 1 - p[i]) * (size[i] + size[j] + 2 * spread + soft),
            )
            for i in range(len(z))
            for j in range(len(z))
        ]
        return [[(weight * t, weight * s) for t, s in order] for order in ([(value, sensitivity)], slope, hessian)]


def _soft_label(classes: int, label: Any, given: dict[str, Any]) -> tuple[mpf, list[mpf]]:
    if not isinstance(label, int):
        return mpf(1), [mpf(y) for y in label]
    smoothing, weights = mpf(given["label_smoothing"]), given["class_weights"]
    return mpf(1 if weights is None else weights[label]), [
        (1 - smoothing) * (i == label) + smoothing / classes for i in range(classes)
    ]


def shares_truth(p: Sequence[float], y: Sequence[float], given: dict[str, Any]) -> list[list[tuple[mpf, mpf]]]:
    """Cross-entropy of a vector of probabilities, entry by entry; an entry with y = 0 takes no part."""
    with mp.workdps(60):
        terms = [_entry(mpf(a), mpf(b)) for a, b in zip(p, y, strict=True)]
        hessian = [terms[i][2] if i == j else mpf(0) for i in range(len(p)) for j in range(len(p))]
        orders = [[mp.fsum(term[0] for term in terms)], [term[1] for term in terms], hessian]
        return [[(truth, abs(truth) if not mp.isinf(truth) else mpf(0)) for truth in order] for order in orders]


def _entry(p: mpf, y: mpf) -> list[mpf]:
    if y == 0:
        return [mpf(0)] * 3
    return [mp.inf, -mp.inf, mp.inf] if p == 0 else [-y * mp.log(p), -y / p, y / p**2]
