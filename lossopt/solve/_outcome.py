"""What an algorithm hands back to `solve`."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from ..models import Params


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
