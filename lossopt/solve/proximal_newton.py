"""Proximal Newton steps for smooth convex losses with a penalty on the absolute weights: lasso and elastic net.

The penalty is not the same in another basis, so the coefficients x are those of the columns themselves, centred and of
length one. A step minimises a parabola with the gradient g and the Hessian H of the smooth part, and the penalty as
it is,

    g'(x - c) + (x - c)'H(x - c)/2 + Σ λ_j |x_j|,

after which the smooth part is evaluated anew. H is Newton's, blended towards a majorant as in `newton`: where a step
does not lower the cost by a fraction of what it promised, the next is shorter (Lee, Sun and Saunders 2014).

The minimum of the parabola is found by coordinate descent (Friedman, Hastie and Tibshirani 2010), a sweep of which
decides which coefficients are 0 and the signs of the others. On correlated columns descent alone is slow, so after each
sweep a step is made to the minimum for these signs, or as far towards it as none of them changes; the coefficient that
reaches 0 stays there. Both only descend, and the one that is right about the signs ends the search at once.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._descent import code, Cost, higher, lower, MOST, relative, Value
from ._design import SAMPLED
from ._normal import added, all_finite, definite_solver, dot, length, times
from ._outcome import Outcome
from ._point import FAST, idle, little, NEAR, penalised_hessian, Point, portion, start_at, visit
from .separation import falls_for_ever


# The most sweeps of coordinate descent for a step, and how much nearer than asked its minimum is found.
_STEPS, _CLOSER = 200, 0.1
_SHARES_OF_STEP = 0.5 ** np.arange(8)
# The iterations before separation is suspected, and before it is taken for granted.
_PATIENCE, _NO_LONGER = 5, 30


class _State(NamedTuple):
    """A point, the coefficients to try from it, and λ, how far their Hessian is blended to the majorant.

    `every` says of which blocks the next Hessian is.
    """

    point: Point
    aim: Float[Array, "m k"]
    error: Float[Array, ""]
    blend: Float[Array, ""]
    every: Int[Array, ""]
    iterations: Int[Array, ""]
    finished: Bool[Array, ""]
    escaping: Bool[Array, ""]


def solve(
    cost: Cost,
    start: Float[Array, "m k"],
    thresholds: Float[Array, " m"],
    max_iterations: Int[Array, ""],
    *,
    quadratic: bool,
    prove: bool = True,
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² + Σ thresholds |x| from `start`; of a quadratic loss one Hessian is enough.

    Unless it is to `prove` that there is no finite minimiser, it ends where it has not come to one for long.
    """

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    point, no, zero = start_at(cost, start), jnp.array(False), jnp.zeros_like(cost.tolerance)
    every = jnp.array(1 if quadratic else SAMPLED)
    first = _State(point, start, zero + jnp.inf, zero, every, jnp.zeros((), int), no, no)
    iterate = functools.partial(_iterate, cost, thresholds, quadratic, prove)
    ended = jax.lax.while_loop(unfinished, iterate, first)
    value, settled = ended.point.value, ended.error <= cost.tolerance
    reached = code(cost.design, value, settled=settled, stalled=ended.blend >= MOST, bent=no, escaping=ended.escaping)
    step = ended.aim - value.coefficients
    along = step.T.ravel()
    bent = times(_hessian(cost, ended.point, zero), along)
    decrement = -_promised(thresholds, value, step) - dot(along, bent) / 2
    gap = jnp.where(settled & jnp.isfinite(decrement) & ~ended.escaping, jnp.maximum(decrement, 0.0), jnp.inf)
    # As in `newton`, the last step is taken unseen.
    last = settled & all_finite(step)
    found = jnp.where(last, ended.aim, value.coefficients)
    params = cost.params(found)
    outcome = Outcome(params, gap, ended.iterations, reached)
    if cost.design.formed is not None:
        return outcome
    # As there, what is known need not be computed again.
    doubt = jnp.abs(decrement) + length(cost.lost(params, found)) * jnp.sqrt(value.steep)
    penalised = value.cost + _rise(thresholds, jnp.zeros_like(found), value.coefficients)
    return outcome._replace(cost=penalised - decrement, exact=last & (doubt <= value.rounding))


def _iterate(cost: Cost, thresholds: Array, quadratic: bool, prove: bool, state: _State) -> _State:
    before, step = state.point, state.aim - state.point.value.coefficients
    trial = visit(cost, before, step, jnp.zeros_like(state.blend), state.every)
    error = _error(thresholds, trial.value)
    success = _succeeds(thresholds, before.value, trial.value, step, error < state.error)
    blend = jnp.where(success, lower(state.blend), higher(state.blend))
    point = jax.tree.map(lambda new, old: jnp.where(success, new, old), trial, before)
    every = portion(state.every, error < NEAR, error <= FAST * state.error, success)
    every = jnp.zeros_like(every) if quadratic else every
    error = jnp.where(success, error, state.error)
    escaping = jnp.array(False)
    if cost.traits.vanishing and not prove:
        escaping = (error > cost.tolerance) & (state.iterations >= _NO_LONGER)
    elif cost.traits.vanishing:
        # What the penalty on absolute weights leaves free is the bias.
        free = cost.design._replace(penalty=jnp.concatenate([cost.design.penalty, jnp.diag(thresholds)]))
        escaping = falls_for_ever(cost._replace(design=free), step, state.iterations >= _PATIENCE)
    if cost.traits.linear:
        # If there is a minimum, the first step leads there.
        escaping = (error > cost.tolerance) & (state.iterations >= _PATIENCE)
    within = cost.tolerance * _CLOSER * jnp.sqrt(point.value.steep)
    aim = _minimum(_hessian(cost, point, blend), point.value.gradient, point.value.coefficients, thresholds, within)
    finished = (error <= cost.tolerance) | escaping | (blend >= MOST)
    return _State(point, aim, error, blend, every, state.iterations + 1, finished, escaping)


def _rise(thresholds: Array, coefficients: Array, step: Array) -> Array:
    """What a step adds to the penalty."""
    return added((thresholds[:, None] * (jnp.abs(coefficients + step) - jnp.abs(coefficients))).ravel())


def _promised(thresholds: Array, value: Value, step: Array) -> Array:
    """The change of the cost that the slope promises."""
    return jnp.vdot(value.gradient, step) + _rise(thresholds, value.coefficients, step)


def _succeeds(thresholds: Array, before: Value, after: Value, step: Array, nearer: Array) -> Array:
    """Whether the cost falls by a fraction of what was promised; where it is all rounding, whether the error falls."""
    change = after.cost - before.cost + _rise(thresholds, before.coefficients, step)
    enough = change <= 1e-4 * _promised(thresholds, before, step)
    return jnp.isfinite(after.cost) & (enough | ((change <= before.rounding) & nearer))


def _error(thresholds: Array, value: Value) -> Array:
    """The least subgradient, relative to the size of the slopes."""
    return relative(_subgradient(value.gradient, value.coefficients, thresholds[:, None]), value.steep)


def _subgradient(gradient: Array, x: Array, thresholds: Array) -> Array:
    """That of gradient'x + Σ thresholds |x| with the smallest norm."""
    at_zero = jnp.sign(gradient) * jnp.maximum(jnp.abs(gradient) - thresholds, 0.0)
    return jnp.where(x == 0, at_zero, gradient + thresholds * jnp.sign(x))


def _hessian(cost: Cost, point: Point, blend: Array) -> Array:
    """The matrix of the parabola, indexed (class × coefficient) twice."""
    m, k = point.value.gradient.shape
    unit, eye = jnp.eye(k, dtype=blend.dtype), jnp.eye(m, dtype=blend.dtype)
    largest = jnp.where(point.majorant > 0, point.majorant, 1.0)
    hessian = penalised_hessian(cost, point)
    # The columns have length one: m times the largest curvature lies above any Hessian.
    above = jnp.minimum(blend, 1.0) * (m * largest * jnp.kron(unit, eye) - hessian)
    hessian = jnp.maximum(blend, 1.0) * (hessian + above) + little(largest) * jnp.kron(unit, eye)
    if cost.design.constants:
        # With this curvature equal changes of all biases, where they change nothing, are not made.
        bias = jnp.zeros((m, m), blend.dtype).at[0, 0].set(idle(point, largest))
        hessian = hessian + jnp.kron(jnp.full_like(unit, 1 / k), bias)
    return hessian


class _Search(NamedTuple):
    """`whole`: x is the minimum for its signs."""

    x: Array
    steps: Array
    whole: Array
    found: Array


def _minimum(hessian: Array, gradient: Array, coefficients: Array, thresholds: Array, within: Array) -> Array:
    """The x with the least g'(x - c) + (x - c)'H(x - c)/2 + Σ thresholds |x|, up to a subgradient of `within`."""
    (m, k), diagonal = gradient.shape, jnp.diagonal(hessian)
    g, c, bounds = gradient.T.reshape(k * m), coefficients.T.reshape(k * m), jnp.tile(thresholds, k)

    def descend(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        x, slope = state
        lowest = x[j] - slope[j] / diagonal[j]
        shrunk = jnp.sign(lowest) * jnp.maximum(jnp.abs(lowest) - bounds[j] / diagonal[j], 0.0)
        return x.at[j].set(shrunk), slope + (shrunk - x[j]) * hessian[j]

    def improve(search: _Search) -> _Search:
        slope = g + times(hessian, search.x - c)
        # A sweep before that would bring back what a step has just taken to 0.
        x, slope = jax.lax.fori_loop(0, jnp.where(search.whole, k * m, 0), descend, (search.x, slope))
        x, whole = _for_signs(hessian, slope, x, bounds)
        rest = _subgradient(g + times(hessian, x - c), x, bounds)
        close = (length(rest) <= within) | ~all_finite(x)
        return _Search(x, search.steps + 1, whole, close)

    first = _Search(c, jnp.zeros((), int), jnp.array(True), jnp.array(False))
    ended = jax.lax.while_loop(lambda s: ~s.found & (s.steps < _STEPS), improve, first)
    return ended.x.reshape(k, m).T


def _for_signs(hessian: Array, slope: Array, x: Array, bounds: Array) -> tuple[Array, Array]:
    """From x towards the minimum for its signs, and whether that has them: those that do not hold on the way become 0
    and stay there, as far as that lowers the parabola most."""
    free = (x != 0) | (bounds == 0)
    both, eye = free[:, None] & free[None], jnp.eye(x.size, dtype=x.dtype)
    rest = jnp.where(free, slope + bounds * jnp.sign(x), 0.0)
    # Where more are free than there are examples, some directions have no curvature: a little leads far along them. Of
    # its own diagonal each, for the penalty on the weight of a small column may be large.
    more = 8 * x.size * jnp.finfo(x.dtype).eps * jnp.diag(jnp.diagonal(hessian))
    step = -definite_solver(jnp.where(both, hessian, eye) + more)(rest)
    crossing = (bounds > 0) & (x * (x + step) < 0)
    ends = jnp.where(crossing, -x / jnp.where(crossing, step, 1.0), jnp.inf)
    # As far as all signs hold, and along the path on which those that do not become 0 and stay there.
    lengths = jnp.minimum(jnp.append(jnp.asarray(_SHARES_OF_STEP, x.dtype), jnp.min(ends)), 1.0)[:, None]
    tried = jnp.where(crossing[None] & (ends[None] <= lengths), 0.0, x[None] + lengths * step[None])
    moves = tried - x[None]
    change = added(moves * (slope[None] + moves @ hessian / 2) + bounds[None] * (jnp.abs(tried) - jnp.abs(x)[None]))
    return tried[jnp.argmin(change)], ~jnp.any(crossing)
