"""Functions of several numbers with their exact gradient and Hessian, and what the rounding of the inputs does to them.

A formula written once for `Jet`s (in + - * / and the functions below) gives the value and both derivatives:
`jet_truth(formula, prediction, target)` calls `formula(list of Jets, list of mpf or one mpf)`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf

from ._exact import Exact


_STEP = mpf(10) ** -25


class Jet:
    """f at a point with its gradient (n) and Hessian (n x n), with + - * / and abs."""

    __slots__ = ("gradient", "hessian", "value")

    def __init__(self, value: Any, gradient: Sequence[Any], hessian: Sequence[Sequence[Any]]):
        self.value, self.gradient, self.hessian = mpf(value), list(gradient), [list(row) for row in hessian]

    def _like(self, value: Any) -> "Jet":
        n = len(self.gradient)
        return Jet(value, [mpf(0)] * n, [[mpf(0)] * n for _ in range(n)])

    def __add__(self, other):
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.gradient, self.hessian)
        return Jet(
            self.value + other.value,
            [a + b for a, b in zip(self.gradient, other.gradient, strict=True)],
            [[a + b for a, b in zip(r, s, strict=True)] for r, s in zip(self.hessian, other.hessian, strict=True)],
        )

    def __mul__(self, other):
        if not isinstance(other, Jet):
            # A factor of 0 means "takes no part", even beside an infinity.
            if other == 0:
                return self._like(0)
            return Jet(
                self.value * other, [a * other for a in self.gradient], [[a * other for a in r] for r in self.hessian]
            )
        f, g, n = self, other, range(len(self.gradient))
        return Jet(
            f.value * g.value,
            [f.value * g.gradient[i] + g.value * f.gradient[i] for i in n],
            [
                [
                    f.value * g.hessian[i][j]
                    + g.value * f.hessian[i][j]
                    + f.gradient[i] * g.gradient[j]
                    + f.gradient[j] * g.gradient[i]
                    for j in n
                ]
                for i in n
            ],
        )

    def __neg__(self):
        return Jet(-self.value, [-a for a in self.gradient], [[-a for a in r] for r in self.hessian])

    def __abs__(self):
        return -self if self.value < 0 else self

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __truediv__(self, other):
        return self * (1 / other)

    def __rtruediv__(self, other):
        y = self.value
        return self.after(1 / y, -1 / y**2, 2 / y**3) * other

    __radd__, __rmul__ = __add__, __mul__

    def after(self, g: mpf, g1: mpf, g2: mpf) -> "Jet":
        """g(f), given g and its first two derivatives at the value of f."""
        d = self.gradient
        return Jet(
            g,
            [g1 * a for a in d],
            [
                [g1 * h + g2 * a * b for h, b in zip(row, d, strict=True)]
                for row, a in zip(self.hessian, d, strict=True)
            ],
        )

    def orders(self) -> list[list[mpf]]:
        """The value, the gradient, and the Hessian row by row."""
        return [[self.value], self.gradient, [a for row in self.hessian for a in row]]


def variables(point: Sequence[Any]) -> list[Jet]:
    """The coordinates themselves."""
    n = range(len(point))
    return [Jet(point[i], [mpf(i == j) for j in n], [[mpf(0)] * len(point) for _ in n]) for i in n]


def exp(f: Jet) -> Jet:
    y = mp.exp(f.value)
    return f.after(y, y, y)


def expm1(f: Jet) -> Jet:
    y = mp.exp(f.value)
    return f.after(mp.expm1(f.value), y, y)


def log(f: Jet) -> Jet:
    return f.after(mp.log(f.value), 1 / f.value, -1 / f.value**2)


def log1p(f: Jet) -> Jet:
    y = 1 + f.value
    return f.after(mp.log1p(f.value), 1 / y, -1 / y**2)


def sqrt(f: Jet) -> Jet:
    y = mp.sqrt(f.value)
    return f.after(y, 1 / (2 * y), -1 / (4 * y**3))


def softplus(f: Jet) -> Jet:
    return log1p(exp(f)) if f.value < 0 else f + log1p(exp(-f))


def normal_cdf(f: Jet) -> Jet:
    z, density = f.value, mp.npdf(f.value)
    # mp.ncdf keeps few digits far out on the right, where they lie in 1 - cdf.
    return f.after(mp.erfc(-z / mp.sqrt(2)) / 2, density, -z * density)


def total(terms: Sequence[Jet]) -> Jet:
    """The sum of at least one term."""
    found = terms[0]
    for term in terms[1:]:
        found = found + term
    return found


def jet_truth(
    formula: Callable[[list[Jet], Any], Jet], prediction: Sequence[float], target: Any, digits: int = 120
) -> Exact:
    """Value, gradient and Hessian at a vector of floats, with their sensitivity to its rounding.

    `target` is one number or a vector of them, real or an integer label. The sensitivity to an input comes from two
    points beside it, so that a kink at the point itself does not count. `digits` must know 1 + exp(-|x|) for the
    largest moderate x.
    """
    with mp.workdps(digits):
        scalar = not isinstance(target, Sequence)
        labels = [target] if scalar else list(target)
        inputs = [mpf(x) for x in prediction] + [y if isinstance(y, int) else mpf(y) for y in labels]

        def orders(at: list[Any]) -> list[list[mpf]]:
            k = len(prediction)
            return formula(variables(at[:k]), at[k] if scalar else at[k:]).orders()

        truth = orders(inputs)

    def sensitivity() -> list[list[mpf]]:
        with mp.workdps(digits):
            moved = [_moves(orders, inputs, i) for i, x in enumerate(inputs) if not isinstance(x, int) and x != 0]
            return [
                [mp.fsum(move[order][j] for move in moved) for j in range(len(entries))]
                for order, entries in enumerate(truth)
            ]

    return Exact(truth, sensitivity)


def _moves(orders: Callable[[list[Any]], list[list[mpf]]], inputs: list[Any], i: int) -> list[list[mpf]]:
    """|x_i df/dx_i| of every entry, on the side of 0: there a probability of 1 stays legal."""
    if mp.isinf(inputs[i]):
        return [[mpf(0)] * len(entries) for entries in orders(inputs)]
    near, far = (orders([*inputs[:i], inputs[i] * (1 - n * _STEP), *inputs[i + 1 :]]) for n in (1, 2))
    return [[_finite(abs(a - b)) / _STEP for a, b in zip(far[o], near[o], strict=True)] for o in range(3)]


def _finite(x: mpf) -> mpf:
    return x if mp.isfinite(x) else mpf(0)
