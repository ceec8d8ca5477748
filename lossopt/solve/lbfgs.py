"""L-BFGS for smooth losses whose Hessian would be too large: many columns, or many classes.

In the orthonormal basis of the design the Hessian is as well conditioned as the curvatures of the loss, whatever the
columns are, so that the limited-memory quasi-Newton method (Nocedal and Wright 2006, algorithm 7.4; the memory is
optax's) needs some tens of gradients where it would need thousands in the columns themselves, and its first trial step
mostly succeeds: a step that does not lower the cost is only made shorter. A gradient is one pass over the examples,
with the cost as a by-product.

There is no bound on suboptimality: half the squared gradient over the least curvature would be one, if that were known.
The gap is that with the curvature along the last step.

Of a loss that fades far out a minimum is not believed before `_faded` has looked for directions without curvature; the
passes which that takes are not counted as iterations. Where a penalty should bend every direction, it is enough to see
that it does: to look for others is half of what is compiled.
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
from ._faded import faded, open_for, Search, unsought
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

    `search` is for directions without curvature where the descent has ended; without it, `faded` is the share of the
    examples whose slopes have faded, for each score.
    """

    value: Value
    step: Float[Array, "m k"]
    remembered: PyTree
    length: Float[Array, ""]
    bend: Float[Array, ""]
    error: Float[Array, ""]
    failures: Int[Array, ""]
    iterations: Int[Array, ""]
    search: Search | None
    faded: Float[Array, " k"]


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""], *, prove: bool = True) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² from `start`.

    Unless it is to `prove` that there is no finite minimiser, that is suspected wherever a direction might be free.
    """

    descending = functools.partial(_descending, cost, max_iterations)

    def unfinished(state: _State) -> Array:
        return descending(state) | (_searching(cost, state.search, state) if state.search else jnp.array(False))

    def iterate(state: _State) -> _State:
        if state.search is None:
            return _descended(cost, state, *_evaluate(cost, state.value.coefficients + state.step, state.value))
        down, search = descending(state), state.search
        sums_faded = ~down & ~search.began
        at = jnp.where(down, state.value.coefficients + state.step, search.probe(state.value))
        instead = lambda slopes: jnp.where(sums_faded, faded(slopes, state.value), slopes)  # noqa: E731
        value, shares = _evaluate(cost, at, state.value, instead)
        searched = state._replace(search=search.after(state.value, value.gradient))
        went = _descended(cost, state, value, shares)
        return jax.tree.map(lambda new, old: jnp.where(down, new, old), went, searched)

    value, none, remembered = unseen(start), jnp.array(0), _REMEMBERED.init(start)
    zero, search = jnp.zeros_like(value.cost), unsought(start) if prove and cost.traits.vanishing else None
    begun = remembered, zero, zero, value.cost, none, none, search, jnp.zeros_like(start[0])
    return _outcome(cost, jax.lax.while_loop(unfinished, iterate, _State(value, jnp.zeros_like(start), *begun)))


def _descending(cost: Cost, max_iterations: Array, state: _State) -> Array:
    going = (state.iterations < max_iterations) & (state.failures < _PATIENCE)
    return going & ((state.error > cost.tolerance) | _fading(cost, state))


def _fading(cost: Cost, state: _State) -> Array:
    """Whether a small gradient may be one that fades towards infinity: the way is long, or promises much."""
    # In this basis the length of a step is the root of the mean square of how far it moves a score.
    far = state.length * len(cost.targets) ** 0.5 > STILL
    return cost.traits.vanishing & (far | much(cost, state.value, _promised(state)))


def _searching(cost: Cost, search: Search, state: _State) -> Array:
    """Whether, once the descent has ended, it is still open if some direction has no curvature."""
    # Out of steps, no more is sought than constants.
    more = (state.error <= cost.tolerance) & search.unfinished(cost.design, state.value)
    return ~search.began | more


def _outcome(cost: Cost, ended: _State) -> Outcome:
    value, convex, close = ended.value, cost.traits.convex, ended.error <= cost.tolerance
    settled, stalled, escaping = close & ~_fading(cost, ended), ended.failures >= _PATIENCE, jnp.array(False)
    if ended.search is None:
        escaping = cost.traits.vanishing & close & open_for(cost.design, value, ended.faded)
    else:
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
    params = cost.params(value.coefficients)
    found = Outcome(params, gap, ended.iterations, reached, cost=value.cost)
    if cost.design.formed is not None:
        return found
    # Of a table in blocks it saves a pass, and compiling it, to know that the way from the basis raises nothing.
    doubt = length(cost.lost(params, value.coefficients)) * jnp.sqrt(value.steep)
    return found._replace(exact=settled & (doubt <= value.rounding))


def _promised(state: _State) -> Array:
    """How far below the cost a parabola with the curvature along the last step has its minimum."""
    square, known = dot(state.value.gradient, state.value.gradient), state.bend > 0
    return jnp.where(known | (square == 0), square / (2 * jnp.where(known, state.bend, 1.0)), jnp.inf)


def _descended(cost: Cost, state: _State, value: Value, shares: Array) -> _State:
    """After the step to a value, where the slopes of such shares have faded, or with a shorter one."""
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
    tried = _State(value, -against, remembered, far, bend, error(value, blur), none, count, state.search, shares)
    failed = state._replace(step=state.step / _SHORTER, failures=state.failures + 1, iterations=count)
    return jax.tree.map(lambda new, old: jnp.where(success, new, old), tried, failed)


def _evaluate(
    cost: Cost, coefficients: Array, last: Value, instead: Callable[[Array], Array] | None = None
) -> tuple[Value, Array]:
    """The value by one pass over the examples; its gradient is summed from what is taken `instead` of the slopes.

    Also the share of the examples whose slopes have faded beside the last, for each score, unless that is searched for.
    """
    inner, counted = cost.design.inner(coefficients), cost.traits.vanishing and instead is None

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        scores = basis.scores(inner)
        values, slopes = jax.vmap(jax.value_and_grad(cost.loss), in_axes=(1, 0), out_axes=(0, 1))(scores, targets)
        values, slopes = jax.lax.optimization_barrier((once(values), slopes))
        size, steep = sums(jnp.abs(slopes * scores), slopes**2)
        gone = faded(slopes, last) != 0 if counted else jnp.zeros((len(slopes), 1), bool)
        slopes = slopes if instead is None else instead(slopes)
        sums_of_each = jnp.stack([values, jnp.abs(values) + size, steep]) @ share
        shares = jnp.sum(jnp.where(gone, share[None], 0.0), axis=1)
        return Fold((sums_of_each, basis.moments(share[None] * slopes), shares))

    # Of each score some ten numbers: itself, its slope, and what the loss makes of it.
    found = cost.design.fold(of_block, cost.targets, beside=10 * coefficients.shape[1]).sums
    (mean, size, steep), gradient, shares = found
    return penalised(cost, coefficients, mean, size, gradient, steep), shares
