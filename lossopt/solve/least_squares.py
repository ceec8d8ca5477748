"""Least squares by orthogonal factorisation, refined.

In the orthonormal basis the solution is c = Q'b. What is left of the factorisation's rounding, which the condition
number κ of the table multiplies (κ² times the residual), is removed by correcting: the residual r = y - Xw - b and the
gradient g = X'Sr - l2 w are formed in twice the working precision, and R'R dw = g is solved in the basis. Each pass
shrinks the error by about κ eps (Björck 1967); one or two suffice.

The correction at the end is the certificate: for a quadratic of curvature a the cost above the minimum is a |dc|²/2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..models import Params
from ..status import Status
from ._blocks import by_parts
from ._design import Design
from ._double import add, Pair, product, times, total, two_sum, weighted_sums
from ._outcome import Outcome


MOST_PASSES = 6


class _State(NamedTuple):
    params: Params
    correction: Array
    passes: Array
    improving: Array


def solve(design: Design, targets: Float[Array, " n"], l2: Float[Array, ""], curvature: float) -> Outcome:
    """Minimise Σ s a r²/2 + l2/2 |w|², where a is `curvature`; the design is that of the penalty l2 / a."""
    penalty = l2 / curvature

    coefficients = design.basis @ (design.share * targets)
    floor = jnp.finfo(penalty.dtype).eps * jnp.linalg.norm(coefficients)

    def improve(state: _State) -> _State:
        params = jax.tree.map(jnp.add, state.params, design.decode(state.correction))
        correction = _correction(design, targets, penalty, params)
        size = jnp.linalg.norm(correction)
        # At the floor of rounding the correction stops shrinking; the negation also stops at NaN.
        smaller = (state.passes < 0) | (size < jnp.linalg.norm(state.correction) / 2)
        passes = state.passes + 1
        better = _State(params, correction, passes, smaller & ((passes < 1) | (size > floor)))
        return jax.tree.map(lambda new, old: jnp.where(smaller, new, old), better, state)._replace(
            passes=passes, improving=better.improving
        )

    # The first correction is found by a correction of nothing, so that all are compiled once.
    begin = _State(design.decode(coefficients), jnp.zeros_like(coefficients), jnp.array(-1), jnp.array(True))
    ended = jax.lax.while_loop(lambda s: s.improving & (s.passes < MOST_PASSES), improve, begin)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(ended.params)]))
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    gap = curvature / 2 * jnp.sum(ended.correction**2)
    return Outcome(ended.params, gap, ended.passes, jnp.where(finite, found, Status.DIVERGED))


def _correction(design: Design, targets: Array, penalty: Array, params: Params) -> Array:
    """What to add to the coefficients, from a residual and a gradient in twice the working precision."""
    weights = Pair(params.weights, jnp.zeros_like(params.weights))
    explained = total(weighted_sums(design.features.T, weights), 0)
    bias = jnp.zeros_like(penalty) if params.bias is None else params.bias
    residual = add(two_sum(targets, -bias), Pair(-explained.high, -explained.low))
    shared = times(residual, design.share)
    by_part = by_parts(lambda rows, *pair: weighted_sums(rows, Pair(*pair)), (0, 0, 0), design.features, *shared)
    by_weights = total(jax.tree.map(lambda sums: sums.reshape(-1, params.weights.size), by_part), 0)
    by_weights = add(by_weights, product(penalty, -params.weights))
    return design.pull_back(by_weights.high, total(shared, 0).high)
