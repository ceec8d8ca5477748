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
from . import _double
from ._design import Design
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

    def start() -> _State:
        params = design.decode(design.basis @ (design.share * targets))
        return _State(params, _correction(design, targets, penalty, params), jnp.zeros((), int), jnp.array(True))

    def improve(state: _State) -> _State:
        params = jax.tree.map(jnp.add, state.params, design.decode(state.correction))
        correction = _correction(design, targets, penalty, params)
        # At the floor of rounding the correction stops shrinking; the negation also stops at NaN.
        smaller = jnp.linalg.norm(correction) < jnp.linalg.norm(state.correction) / 2
        better = _State(params, correction, state.passes + 1, smaller)
        kept = jax.tree.map(lambda new, old: jnp.where(smaller, new, old), better, state)
        return kept._replace(passes=better.passes, improving=smaller)

    ended = jax.lax.while_loop(lambda s: s.improving & (s.passes < MOST_PASSES), improve, start())
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(ended.params)]))
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    gap = curvature / 2 * jnp.sum(ended.correction**2)
    return Outcome(ended.params, gap, ended.passes, jnp.where(finite, found, Status.DIVERGED))


def _correction(design: Design, targets: Array, penalty: Array, params: Params) -> Array:
    """What to add to the coefficients, from a residual and a gradient in twice the working precision."""
    explained = _double.total(_double.product(design.features, params.weights[None]), 1)
    bias = jnp.zeros_like(penalty) if params.bias is None else params.bias
    residual = _double.add(_double.two_sum(targets, -bias), _double.Pair(-explained.high, -explained.low))
    shared = _double.times(residual, design.share)
    by_row = _double.Pair(shared.high[:, None], shared.low[:, None])
    shrunk = _double.product(penalty, -params.weights)
    by_weights = _double.add(_double.total(_double.times(by_row, design.features), 0), shrunk)
    return design.pull_back(by_weights.high, _double.total(shared, 0).high)
