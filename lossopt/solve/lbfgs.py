"""L-BFGS for smooth losses whose Hessian would be too large: many columns, or many classes.

In the orthonormal basis of the design the Hessian is as well conditioned as the curvatures of the loss, whatever the
columns are, so that the limited-memory quasi-Newton method (Nocedal and Wright 2006, algorithm 7.4; the memory is
optax's) needs some tens of gradients where it would need thousands in the columns themselves, and its first trial step
mostly succeeds: a step that does not lower the cost is only made shorter. A gradient is one pass over the examples,
with the cost as a by-product.

There is no bound on suboptimality: half the squared gradient over the least curvature would be one, if that were known.
The gap is that with the curvature along the last step.

Of a loss that fades far out a minimum is not believed before `_faded` has looked for directions without curvature; the
passes which that takes are not counted as iterations.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from ..losses._elementary import sums
from ._blocks import Fold
from ._columns import Columns
from ._descent import code, Cost, error, much, penalised, STILL, succeeds, unseen, Value
from ._faded import faded, Search, unsought
from ._normal import dot, length, once
from ._outcome import Outcome
from .separation import falls_for_ever


# Pairs of steps and changes of the gradient that are remembered.
_MEMORY = 20
# How much shorter a step is made that did not lower the cost; so many in a row end the search.
_SHORTER, _PATIENCE = 4.0, 12


# What is remembered of the last steps.
_REMEMBERED = optax.scale_by_lbfgs(memory_size=_MEMORY)


class _State(NamedTuple):
    """A point, the step to try from it, its length before it was made shorter, and the curvature along the last.

    `search` is for directions without curvature where the descent has ended.
    """

    value: Value
    step: Float[Array, "m k"]
    remembered: PyTree
    length: Float[Array, ""]
    bend: Float[Array, ""]
    error: Float[Array, ""]
    failures: Int[Array, ""]
    iterations: Int[Array, ""]
    search: Search


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""]) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² from `start`."""

    descending = functools.partial(_descending, cost, max_iterations)

    def unfinished(state: _State) -> Array:
        return descending(state) | (_searching(cost, state) if cost.traits.vanishing else jnp.array(False))

    def iterate(state: _State) -> _State:
        if not cost.traits.vanishing:
            return _descended(cost, state, _evaluate(cost, state.value.coefficients + state.step))
        down, search = descending(state), state.search
        sums_faded = ~down & ~search.began
        at = jnp.where(down, state.value.coefficients + state.step, search.probe(state.value))
        value = _evaluate(cost, at, lambda slopes: jnp.where(sums_faded, faded(slopes, state.value), slopes))
        searched = state._replace(search=search.after(state.value, value.gradient))
        return jax.tree.map(lambda new, old: jnp.where(down, new, old), _descended(cost, state, value), searched)

    value, none, remembered = unseen(start), jnp.array(0), _REMEMBERED.init(start)
    zero = jnp.zeros_like(value.cost)
    first = _State(value, jnp.zeros_like(start), remembered, zero, zero, value.cost, none, none, unsought(start))
    return _outcome(cost, jax.lax.while_loop(unfinished, iterate, first))


def _descending(cost: Cost, max_iterations: Array, state: _State) -> Array:
    going = (state.iterations < max_iterations) & (state.failures < _PATIENCE)
    return going & ((state.error > cost.tolerance) | _fading(cost, state))


def _fading(cost: Cost, state: _State) -> Array:
    """Whether a small gradient may be one that fades towards infinity: the way is long, or promises much."""
    # In this basis the length of a step is the root of the mean square of how far it moves a score.
    far = state.length * len(cost.targets) ** 0.5 > STILL
    return cost.traits.vanishing & (far | much(cost, state.value, _promised(state)))


def _searching(cost: Cost, state: _State) -> Array:
    """Whether, once the descent has ended, it is still open if some direction has no curvature."""
    # Out of steps, no more is sought than constants.
    more = (state.error <= cost.tolerance) & state.search.unfinished(cost.design, state.value)
    return ~state.search.began | more


def _outcome(cost: Cost, ended: _State) -> Outcome:
    value, convex, close = ended.value, cost.traits.convex, ended.error <= cost.tolerance
    settled, stalled, escaping = close & ~_fading(cost, ended), ended.failures >= _PATIENCE, jnp.array(False)
    if cost.traits.vanishing:
        weak, constants = ended.search.weak(cost.design, value), ended.search.constants(cost.design)
        settled, stalled = settled & ~weak, stalled | weak
        # Far out on separable data the coefficients themselves are nearly a direction that separates; where some of
        # them are finite, the steps are.
        direction = jnp.where(close, ended.step, value.coefficients)
        direction = jnp.where(jnp.any(constants[:1] != 0), constants, direction)
        escaping = falls_for_ever(cost, direction, ~settled)
    bent = jnp.array(not convex)
    reached = code(cost.design, value, settled=settled, stalled=stalled, bent=bent, escaping=escaping)
    gap = jnp.where(settled & convex, _promised(ended), jnp.inf)
    params = cost.design.decode(value.coefficients * cost.units[None])
    found = Outcome(params, gap, ended.iterations, reached, cost=value.cost)
    if cost.design.formed is not None:
        return found
    # Of a table in blocks it saves a pass, and compiling it, to know that the way from the basis raises nothing.
    lost = cost.design.encode(params) / cost.units[None] - value.coefficients
    doubt = length(lost) * jnp.sqrt(value.steep)
    return found._replace(exact=settled & (doubt <= value.rounding))


def _promised(state: _State) -> Array:
    """How far below the cost a parabola with the curvature along the last step has its minimum."""
    square, known = dot(state.value.gradient, state.value.gradient), state.bend > 0
    return jnp.where(known | (square == 0), square / (2 * jnp.where(known, state.bend, 1.0)), jnp.inf)


def _descended(cost: Cost, state: _State, value: Value) -> _State:
    """After the step to a value, or with a shorter one."""
    success, count = succeeds(state.value, value, state.step), state.iterations + 1
    # optax computes with Python numbers, for which it needs JAX's standard promotion.
    with jax.numpy_dtype_promotion("standard"):
        against, remembered = _REMEMBERED.update(value.gradient, state.remembered, value.coefficients)
    square = dot(state.step, state.step)
    along = dot(value.gradient - state.value.gradient, state.step)
    bend = jnp.where(square > 0, along / jnp.where(square > 0, square, 1.0), 0.0)
    # In this basis the mean square of the scores is that of the coefficients.
    wide = dot(value.coefficients, value.coefficients)
    blur = (8 * jnp.finfo(bend.dtype).eps / cost.tolerance * bend) ** 2 * wide
    none = jnp.zeros_like(state.failures)
    far = length(against)
    tried = _State(value, -against, remembered, far, bend, error(value, blur), none, count, state.search)
    failed = state._replace(step=state.step / _SHORTER, failures=state.failures + 1, iterations=count)
    return jax.tree.map(lambda new, old: jnp.where(success, new, old), tried, failed)


def _evaluate(cost: Cost, coefficients: Array, instead: Callable[[Array], Array] | None = None) -> Value:
    """The value by one pass over the examples; its gradient is summed from what is taken `instead` of the slopes."""
    inner = cost.design.inner(coefficients)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        scores = basis.scores(inner)
        values, slopes = jax.vmap(jax.value_and_grad(cost.loss), in_axes=(1, 0), out_axes=(0, 1))(scores, targets)
        values, slopes = jax.lax.optimization_barrier((once(values), slopes))
        size, steep = sums(jnp.abs(slopes * scores), slopes**2)
        slopes = slopes if instead is None else instead(slopes)
        return Fold((jnp.stack([values, jnp.abs(values) + size, steep]) @ share, basis.moments(share[None] * slopes)))

    # Of each score some ten numbers: itself, its slope, and what the loss makes of it.
    (mean, size, steep), gradient = cost.design.fold(of_block, cost.targets, beside=10 * coefficients.shape[1]).sums
    return penalised(cost, coefficients, mean, size, gradient, steep)
