"""The exact minimum of a cost, with a certificate: `solve`, and one file an algorithm."""

from ..mesh import automatic
from ._solve import Solution as Solution, solve as _solve_placed


solve = automatic(_solve_placed)
