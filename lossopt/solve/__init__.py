"""The exact minimum of a cost, with a certificate: `solve`, and one file an algorithm."""

from ._plan import treatment as treatment
from ._solve import Solution as Solution, solve as solve
