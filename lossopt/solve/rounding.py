"""Local minima of losses that have a kink and are not convex, with the kink rounded off less and less.

Such a loss is a smooth function of a residual u ≥ 0 that is taken absolutely; in its place stands √(u² + width²), whose
minimum Newton's method follows from a width of 1 downwards. It lies within O(width) of one of the loss itself, along a
smooth path once the examples on the kink are settled, so that from two widths, one half the other, twice the second
less the first is right to O(width²) (Richardson's extrapolation). So the last width need not be near rounding, where
curvatures of 1/width would leave nothing of a gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .. import losses
from ..status import Status
from . import newton
from ._descent import Cost
from ._outcome import Outcome


# By what the width falls, and how often for a bit of the floats' mantissa; how well the minima before the last two are
# solved, for a table of one example.
_FACTOR, _OFTEN, _ROUGHLY = 4.0, 0.2, 0.1
# How many times its width a minimum may move when the width is halved for the last time.
_NEAR = 1e4


def _rounded(size: Array, width: Array) -> Array:
    return jnp.sqrt(size**2 + width**2)


def _laplace(score: Array, target: Array, width: Array) -> Array:
    location, log_scale = score
    return log_scale + _rounded((target - location) * jnp.exp(-log_scale), width)


def _symmetric_share(score: Array, target: Array, width: Array) -> Array:
    # A share of the target, which may be as large as floats are.
    share = score / target
    return _rounded(2 * (share - 1) / (jnp.abs(share) + 1), width)


# The losses, but for constants, with a width.
ROUNDED: dict[Any, Callable[[Array, Array, Array], Array]] = {
    losses.laplace_nll: _laplace,
    losses.symmetric_absolute_percentage_error: _symmetric_share,
}


class _State(NamedTuple):
    coefficients: Float[Array, "m k"]
    before: Float[Array, "m k"]
    width: Float[Array, ""]
    iterations: Int[Array, ""]
    code: Int[Array, ""]


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""]) -> Outcome:
    """A local minimum near `start` of a cost whose loss is given a width as a third argument."""
    last_but_one = _FACTOR ** -round(_OFTEN * jnp.finfo(start.dtype).nmant)

    def unfinished(state: _State) -> Array:
        return (state.width >= last_but_one / 2) & (state.iterations < max_iterations)

    def narrower(state: _State) -> _State:
        def loss(score: Array, target: Array) -> Array:
            return cost.loss(score, target, state.width)

        last = state.width <= last_but_one
        tolerance = jnp.where(last, cost.tolerance, jnp.maximum(cost.tolerance, _ROUGHLY / len(cost.targets)))
        # Later minima are near the last.
        rest, blend = max_iterations - state.iterations, jnp.where(state.width < 1, 0 * state.width, 1.0)
        found = newton.solve(cost._replace(loss=loss, tolerance=tolerance), state.coefficients, rest, blend=blend)
        coefficients = cost.design.encode(found.params) / cost.units[None]
        width = state.width / jnp.where(last, 2.0, _FACTOR)
        return _State(coefficients, state.coefficients, width, state.iterations + found.iterations, found.code)

    one, none = jnp.ones_like(cost.tolerance), jnp.zeros((), int)
    code = jnp.full_like(none, Status.OUT_OF_STEPS)
    ended = jax.lax.while_loop(unfinished, narrower, _State(start, start, one, none, code))
    moved = jnp.linalg.norm(ended.coefficients - ended.before)
    settled = moved <= _NEAR * last_but_one * jnp.linalg.norm(ended.coefficients)
    code = jnp.where((ended.code == Status.LOCAL_MINIMUM) & ~settled, Status.STALLED, ended.code)
    code = jnp.where(unfinished(ended._replace(iterations=none)), Status.OUT_OF_STEPS, code)
    minimum = jnp.where(settled, 2 * ended.coefficients - ended.before, ended.coefficients)
    gap = jnp.full_like(cost.tolerance, jnp.inf)
    return Outcome(cost.design.decode(minimum * cost.units[None]), gap, ended.iterations, code)
