"""What an algorithm hands back to `solve`, and what `solve` hands back."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from ..models import Params
from ..status import Status


class Outcome(NamedTuple):
    """Parameters, a bound (or estimate) of suboptimality, the iterations made and the code of the status.

    `doubtful`: a way that usually leads to the minimum did not. `cost`: what the method takes the parameters to cost,
    or those before its last step, in the basis that it sees; None where it says nothing. `exact`: they cost just that,
    to rounding.
    """

    params: Params
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    code: Int[Array, ""]
    doubtful: Bool[Array, ""] | bool = False
    cost: Float[Array, ""] | None = None
    exact: Bool[Array, ""] | None = None


class Solution(NamedTuple):
    """The minimum, and how near it is.

    Attributes:
        params: weights and bias.
        cost: the objective there.
        gap: how far the objective may be above its minimum: exact for least squares of a table that is not large, the
            duality gap for piecewise-linear losses, half the squared Newton decrement (an estimate) for smooth convex
            ones, of L-BFGS the same with the curvature along its last step, of a kink that is rounded off the same
            and all that this may add, inf where there is no certificate, or a smooth minimum was not
            reached.
        iterations: passes over the data (for least squares, of refinement).
        status: how it ended.
    """

    params: Params
    cost: Float[Array, ""]
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    status: Status
