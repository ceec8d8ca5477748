"""L-BFGS, and Newton's method if it falls short: for a few scores of an example.

The Hessian of k scores has k² blocks, so that a Newton step costs as much as some tens of gradients. Mostly the minimum
is found with fewer. Where the curvatures differ much (a class is rare, the columns are skewed) it is not, nor where it
may not exist: far out Newton's method learns nothing of that, and begins anew.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..status import Status
from . import lbfgs, newton
from ._descent import Cost
from ._outcome import Outcome


# The gradients after which L-BFGS has fallen short, and how else it may.
SHORT = 80
FELL_SHORT = (Status.OUT_OF_STEPS, Status.STALLED, Status.DIVERGED)


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""]) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² from `start`, in one programme."""
    first = lbfgs.solve(cost, start, jnp.minimum(max_iterations, SHORT))
    short = jnp.isin(first.code, jnp.array(FELL_SHORT))
    rest = jnp.where(short, max_iterations - first.iterations, 0)
    second = newton.solve(cost, start, rest)
    both = second._replace(iterations=first.iterations + second.iterations)
    return jax.tree.map(lambda new, old: jnp.where(rest > 0, new, old), both, first)
