"""What is true at one point."""

from collections.abc import Callable
from typing import NamedTuple

from mpmath import mpf


class Exact(NamedTuple):
    """The value, the gradient and the Hessian row by row, and how far the rounding of the inputs can move each entry.

    Attributes:
        orders: for each order its entries.
        sensitivity: computes, for each of them, the sum over the inputs of |x df/dx|. It costs more than the truth.
    """

    orders: list[list[mpf]]
    sensitivity: Callable[[], list[list[mpf]]]
