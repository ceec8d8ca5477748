"""Numbers that carry their exact derivatives, in extended precision, and the elementary functions of them."""

import math
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


def exponential(x: mpf) -> mpf:
    """exp(x); below 1e-43000 nothing is left in any float, and the exact number would take long."""
    return mp.exp(x) if x > -1e5 else mpf(0)


def exp(f: Taylor) -> Taylor:
    y = exponential(f.c[0])
    return f.after(y, y, y, y)


def expm1(f: Taylor) -> Taylor:
    y = exponential(f.c[0])
    return f.after(mp.expm1(f.c[0]) if abs(f.c[0]) < 1 else y - 1, y, y, y)


def log1p(f: Taylor) -> Taylor:
    y = 1 + f.c[0]
    return f.after(mp.log1p(f.c[0]), 1 / y, -1 / y**2, 2 / y**3)


def log(f: Taylor) -> Taylor:
    y = f.c[0]
    return f.after(mp.log(y), 1 / y, -1 / y**2, 2 / y**3)


def sqrt(f: Taylor) -> Taylor:
    y = mp.sqrt(f.c[0])
    return f.after(y, 1 / (2 * y), -1 / (4 * y**3), 3 / (8 * y**5))


def sin(f: Taylor) -> Taylor:
    y, y1 = mp.sin(f.c[0]), mp.cos(f.c[0])
    return f.after(y, y1, -y, -y1)


def softplus(f: Taylor) -> Taylor:
    return log1p(exp(f)) if f.c[0] < 0 else f + log1p(exp(-f))


def digits(x: float) -> int:
    """Enough digits that 1 + x**2 still knows its smaller part."""
    return 60 if x == 0 else 60 + int(2.2 * abs(math.log10(abs(x))))
