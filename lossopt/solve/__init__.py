"""The exact minimum of a cost, with a certificate: `solve`, and one file an algorithm."""

import importlib

from ._outcome import Solution as Solution
from ._plan import treatment as treatment
from ._solve import solve as solve


# Whose LAPACK JAX loads when it first compiles a factorisation: with all else that is loaded, no solve waits for it.
importlib.import_module("scipy.linalg")
