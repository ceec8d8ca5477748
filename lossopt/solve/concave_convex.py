"""Local minima of the ramp, a hinge that is cut off, by the concave-convex procedure.

The ramp is a difference of two hinges of the margin m, max(0, 1 - m) - max(0, -1 - m). In each round what is subtracted
is replaced by its tangents at the margins of the last (Yuille and Rangarajan 2003; Collobert, Sinz, Weston and Bottou
2006). They lie nowhere above it, so that the cost lies nowhere above what is minimised, and no round raises it. An
example beyond the margin -1 then costs max(0, m - 1) and a constant: it has no pull until it is on the right side. The
rest is a hinge cost, which the interior point method minimises. When the same examples lie beyond -1 as before, another
round would change nothing.

The first round is the hinge itself, unless a start says which examples lie beyond.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..status import Status
from . import interior_point
from ._design import Design
from ._outcome import Outcome
from ._piecewise import Lines


# The margin from which on an example has no pull.
_CUT_OFF = -1.0
# The most rounds.
_ROUNDS = 50


class _State(NamedTuple):
    coefficients: Float[Array, " m"]
    beyond: Bool[Array, " n"]
    good: Bool[Array, ""]
    iterations: Int[Array, ""]
    rounds: Int[Array, ""]
    settled: Bool[Array, ""]


def solve(
    given: Lines,
    design: Design,
    start: Float[Array, " m"] | None,
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
) -> Outcome:
    """A local minimum of Σ s ramp + l2/2 |w|² near a start, from the lines of the hinge."""
    table, zero = design.basis * given.sign[None], jnp.zeros(design.basis.shape[0], design.share.dtype)

    def beyond(coefficients: Array) -> Array:
        return (coefficients @ table < _CUT_OFF) & (design.share > 0)

    def unfinished(state: _State) -> Array:
        return ~state.settled & state.good & (state.rounds < _ROUNDS)

    def once(state: _State) -> _State:
        out = state.beyond[None]
        lines = given._replace(up=jnp.where(out, 0.0, given.up), down=jnp.where(out, given.up, given.down))
        found = interior_point.search(
            lines, table, design.share, state.coefficients, design, l2, tolerance, max_iterations, regression=False
        )
        now, iterations = beyond(found.coefficients), state.iterations + found.iterations
        good = found.near(tolerance)
        return _State(found.coefficients, now, good, iterations, state.rounds + 1, jnp.all(now == state.beyond))

    first = beyond(zero) if start is None else beyond(start)
    none = jnp.zeros((), int)
    ended = jax.lax.while_loop(unfinished, once, _State(zero, first, jnp.array(True), none, none, jnp.array(False)))
    code = jnp.where(ended.settled & ended.good, Status.LOCAL_MINIMUM, Status.OUT_OF_STEPS)
    return Outcome(design.decode(ended.coefficients), jnp.full_like(l2, jnp.inf), ended.iterations, code)
