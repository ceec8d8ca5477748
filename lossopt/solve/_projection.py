"""The least-squares fit to some scores, from which descent starts where a loss is not convex.

In an orthonormal basis it is one product. The basis of a table in blocks is orthonormal for a sample of the rows, and
may be far from that for all of them: there the method of conjugate gradients, for which the sample is the
preconditioner, goes on until the slope is nothing beside that at a constant. One row that is far out costs it one step
more, where repeating the product would lead away.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._blocks import Fold
from ._columns import positive
from ._design import Design
from ._normal import times


# What is left of the slope at the end, and the most steps.
_LEFT, _STEPS = 1e-6, 60


class _State(NamedTuple):
    """Coefficients (m, k), the slopes there, downwards, and the directions of the next step."""

    found: Float[Array, "m k"]
    slope: Float[Array, "m k"]
    along: Float[Array, "m k"]
    steps: Int[Array, ""]


def projection(design: Design, scores: Float[Array, "n k"]) -> Float[Array, "m k"]:
    """The coefficients of the least-squares fit, with the design's penalty, to each column of scores."""
    if design.formed is not None:
        return design.project(scores)

    def product(along: Array) -> Array:
        """The moments of the scores along there, and the penalty's."""
        inner = design.inner(along)
        of_block = lambda basis, share: Fold(basis.moments(share[None] * basis.scores(inner)))  # noqa: E731
        return design.outer(design.fold(of_block).sums) + times(design.penalty.T, times(design.penalty, along))

    def step(state: _State) -> _State:
        bent = product(state.along)
        square = _square(state.slope)
        length = square / positive(jnp.sum(state.along * bent, axis=0))
        slope = state.slope - length[None] * bent
        along = slope + (_square(slope) / positive(square))[None] * state.along
        return _State(state.found + length[None] * state.along, slope, along, state.steps + 1)

    # Beside a level, which has no penalty, that is far from 0 even a small error would be large.
    level = design.constant(design.mean(scores))
    first = design.left(level, scores)
    steep = _LEFT**2 * _square(first)

    def unfinished(state: _State) -> Array:
        return jnp.any(_square(state.slope) > steep) & (state.steps < _STEPS)

    return jax.lax.while_loop(unfinished, step, _State(level, first, first, jnp.zeros((), int))).found


def _square(values: Float[Array, "m k"]) -> Float[Array, " k"]:
    return jnp.sum(values**2, axis=0)
