"""The exact minimum of a cost, with a certificate: `solve`, and one file an algorithm."""

from ._outcome import Solution as Solution
from ._plan import treatment as treatment
from ._solve import solve as solve
