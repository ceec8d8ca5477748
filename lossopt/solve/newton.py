"""Newton's method for smooth losses, safeguarded by majorisation.

In the orthonormal basis of the design a step solves H dc = -g with H = Σ s_i u_i u_i' ⊗ W_i + penalty'penalty. Newton
takes for W_i the curvature h_i of the loss at example i; majorisation takes a curvature m_i with which the parabola
through the present point lies above the loss: ψ(r)/r for a loss of the residual that grows no faster than r²
(iteratively reweighted least squares), else the largest curvature present. The step here blends the two,

    W = h + λ (m - h) for λ ≤ 1, and beyond that λ m:

λ = 0 converges quadratically (on a Huber cost it ends exactly, once the right examples are inside), λ = 1 always
descends where m majorises, and λ → ∞ is a short gradient step, which descends for any smooth loss. λ falls after a
success and rises after a failure, so an iteration costs one evaluation of the loss and one factorisation whatever
happens: nothing is nested, which vmap would run to the longest.

Far from the minimum, where a loss with linear tails has no curvature, that is too slow. There each example has its own
λ_i = 1 - α_i/ψ_i at least, where α_i is the force that the last step promised, ψ + W u'dc: Newton's method on the
equations α r/ψ(r) = r and Σ s α u = 0 in which the force is an unknown of its own (Chan, Golub and Mulet 1999). At the
minimum α = ψ and λ_i = 0.

On a table that is gone through in blocks a Hessian costs several gradients. It is summed over a sample of the blocks,
which converges linearly, but fast; near the minimum it is kept, and corrected by each step as the BFGS method does it
(Nocedal and Wright 2006, equation 6.19), for as long as a step takes three quarters of the gradient away. Then it is
summed over all.

Of a table of so many rows that a sample determines the coefficients to a digit or two, the sample is solved first, and
the first pass over all begins near the end. There is no λ of each example then: it would be kept for all of them, and
serve the sample alone.

A step succeeds if the cost falls by a fraction of what the slope promises; at the end, where the cost is all rounding,
if the slope along the step has turned up by no more than a parabola's would (Hager and Zhang 2005, equation 4.1).
A loss of the residual that is not convex keeps λ = 1 until its gradient is small: the basin is then the one that
reweighting from the start reaches.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..status import Status
from ._columns import positive
from ._descent import code, Cost, higher, lower, MOST, much, STILL, succeeds
from ._design import SAMPLED, SPARSELY
from ._factor import one_minimiser
from ._normal import all_finite, definite_solver, dot, length
from ._outcome import Outcome
from ._point import (
    DENSELY,
    FAST,
    has_force,
    idle,
    little,
    NEAR,
    penalised_hessian,
    penalty_of,
    Point,
    portion,
    start_at,
    visit,
    worth_sampling,
)
from ._traits import Traits
from .separation import falls_for_ever


# How well a sample is solved, before its last step, and in how many iterations.
_ROUGHLY, _TRIED = 5e-2, 12
# The movement of a score from which a step may lead to infinity, though the gradient falls; the iterations before that
# is asked, and before it is taken for granted.
_LONG, _PATIENCE, _NO_LONGER = 0.5, 5, 25


class _State(NamedTuple):
    """A point, the step to try from it, the fall of the cost that it promises, were it a parabola, and the λ of both.

    `left` is about the share of it by which that may be wrong: what the last step left of the gradient.

    `every` says of which blocks the next Hessian is, `thin` of which the next gradient, 1 being all. After a failure
    under a loss of the residual the Hessian must be summed again, with a larger λ: `again`.
    """

    point: Point
    step: Float[Array, "m k"]
    promised: Float[Array, ""]
    left: Float[Array, ""]
    blend: Float[Array, ""]
    every: Int[Array, ""]
    thin: Int[Array, ""]
    again: Bool[Array, ""]
    iterations: Int[Array, ""]
    settled: Bool[Array, ""]
    finished: Bool[Array, ""]
    escaping: Bool[Array, ""]


def solve(
    cost: Cost,
    start: Float[Array, "m k"],
    max_iterations: Int[Array, ""],
    *,
    blend: Float[Array, ""] | None = None,
    prove: bool = True,
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² from `start`; from one that is near the minimum, with a `blend` as first λ.

    Unless it is to `prove` that there is no finite minimiser, which is a fifth of what is compiled, it ends where it
    has suspected so for long.
    """

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    no, none, samples = jnp.array(False), jnp.zeros((), int), worth_sampling(cost) and blend is None
    thin, every = (SAMPLED, SPARSELY) if samples else (1, SAMPLED)
    rest = jnp.array(every), jnp.array(thin), no, none, no, no, no
    zero, first = jnp.zeros_like(start), _first_blend(cost) if blend is None else blend
    begin = _State(start_at(cost, start), zero, zero[0, 0], jnp.ones_like(first), first, *rest)
    iterate = functools.partial(_iterate, cost, start, samples, prove)
    return _outcome(cost, jax.lax.while_loop(unfinished, iterate, begin))


def _first_blend(cost: Cost) -> Array:
    one = jnp.ones_like(cost.tolerance)
    if cost.traits.residual and worth_sampling(cost):
        # Tails without curvature, and no λ of each example: the first step is one of reweighting, at λ = 1 after the
        # success that the start is.
        return higher(one)
    return 0 * one if cost.traits.convex else one


def _iterate(cost: Cost, start: Array, samples: bool, prove: bool, state: _State) -> _State:
    traits, before = cost.traits, state.point
    tried = jnp.where(state.again, 0.0, state.step)
    blend = jnp.where(state.again, state.blend, _lower(state.blend, before.error, traits))
    trial = visit(cost, before, tried, blend, state.every, state.thin)
    success = state.again | succeeds(before.value, trial.value, state.step)
    blend = jnp.where(success, blend, higher(state.blend))
    point = jax.tree.map(lambda new, old: jnp.where(success, new, old), trial, before)
    whole = state.thin == 1
    # Not near while the gradient is of a sample itself; but where that has led.
    near, fast = (samples | (point.error < NEAR)) & whole, point.error <= FAST * before.error
    every = portion(state.every, near, fast, success)
    (step, gone), escaping = _step(cost, point, blend), jnp.array(False)
    promised, left = -dot(point.value.gradient, step) / 2, _left(point, before)
    # A gradient that is small may promise much, where one example is so far out that the others are nothing beside it.
    settled = (point.error * left <= cost.tolerance) & ~much(cost, point.value, promised) & whole
    if traits.flat and has_force(cost):
        # At first the Hessian is a majorant's, which hides where there is no curvature.
        settled &= state.iterations > 0
    if traits.vanishing:
        still = point.moved <= STILL * _own(cost, before, tried)
        patience = _PATIENCE if prove else _NO_LONGER
        direction, suspicious = _way_out(cost, state, point, gone, still, patience)
        escaping = falls_for_ever(cost, direction, suspicious) if prove else suspicious
        # On quasi-separable data the gradient fades while the steps do not: leave that to the certificate.
        settled &= still & ~escaping
        # The step that proves separation also separates.
        proven = point.value.coefficients + jnp.where(escaping & ~success, tried, 0.0)
        point = point._replace(value=point.value._replace(coefficients=proven))
    if traits.linear:
        # If there is a minimum, the first step leads there.
        escaping = ~settled & (state.iterations >= _PATIENCE)
    finished = settled | escaping | ((blend >= MOST) & whole)
    again = ~success if traits.residual else state.again
    rest = again, state.iterations + 1, settled, finished, escaping
    after = _State(point, step, promised, left, blend, every, state.thin, *rest)
    return _from_sample(cost, start, after) if samples else after


def _way_out(cost: Cost, state: _State, point: Point, gone: Array, still: Array, patience: int) -> tuple[Array, Array]:
    """The direction along which the cost may fall for ever, and whether that is suspected."""
    # Towards infinity the gradient fades with the slopes, but not beside them, or a step is long. After a sample
    # most scores move from nowhere.
    odd = ~still & ((point.error > FAST * state.point.error) | (point.moved > _LONG))
    odd &= (state.iterations >= patience) & jnp.isfinite(state.point.value.cost)
    # So far out that nothing is left of slopes and curvatures, any point looks like a minimum.
    far = length(gone) * len(cost.targets) ** 0.5 > _LONG
    return jnp.where(far, gone, state.step), (odd | far) & (state.thin == 1)


def _own(cost: Cost, before: Point, step: Array) -> Array | float:
    """How much of the curvature along a step is the loss's own, and not the little that is added to it.

    Of a count of nothing curvatures fade, and steps become ever shorter on the way to infinity. Of classes one example
    that is far out may do that by itself, and is seen to when all is done.
    """
    if cost.traits.start != "log mean":
        return 1.0
    square, fall = little(before.majorant) * dot(step, step), -dot(before.value.gradient, step)
    return 1 - square / jnp.where(fall > 0, fall, jnp.inf)


def _left(point: Point, before: Point) -> Array:
    """The share of the error that the last step, which is taken unseen, is expected to leave.

    That is as much of it as the one before did, but no less than a quadratically convergent method does.
    """
    left = jnp.maximum(point.error / positive(before.error), point.error)
    return jnp.where(jnp.isfinite(before.error), jnp.minimum(left, 1.0), 1.0)


def _from_sample(cost: Cost, start: Array, state: _State) -> _State:
    """The state with which all examples are begun, once the sample is solved, or cannot be."""
    value, done = state.point.value, state.point.error <= _ROUGHLY
    over = (state.thin > 1) & (done | (state.blend >= MOST) | (state.iterations >= _TRIED))
    usable = done & all_finite(state.step) & ~state.again
    origin = jnp.where(usable, value.coefficients + state.step, start)
    if_over = lambda new, old: jnp.where(over, new, old)  # noqa: E731
    unseen = value._replace(coefficients=if_over(origin, value.coefficients), cost=if_over(jnp.inf, value.cost))
    return state._replace(
        point=state.point._replace(value=unseen),
        step=if_over(0.0, state.step),
        blend=if_over(0.0, state.blend),
        every=if_over(DENSELY, state.every),
        thin=if_over(1, state.thin),
        again=state.again & ~over,
    )


def _step(cost: Cost, point: Point, blend: Array) -> tuple[Array, Array]:
    """-H⁻¹g; NaN, which no test accepts, where H is not positive definite.

    And the part of the coefficients along which the loss has no curvature of its own, but the little that is added.
    """
    m, k = point.value.gradient.shape
    unit, eye = jnp.eye(k, dtype=blend.dtype), jnp.eye(m, dtype=blend.dtype)
    largest = jnp.where(point.majorant > 0, point.majorant, 1.0)
    of_penalty, hessian = penalty_of(cost), point.hessian.reshape(k * m, k * m)
    if not cost.traits.residual:
        # The same majorant for all examples: in this basis their Hessian is what the penalty leaves of 1.
        above = jnp.kron(unit, largest * (eye - cost.design.penalty.T @ cost.design.penalty))
        hessian = hessian + jnp.minimum(blend, 1.0) * (above - hessian)
    # Directions without curvature (all examples outside, columns of zeros) get a little; with that of equal changes of
    # all logits, the steps have none.
    extra = little(point.majorant) * unit + jnp.full_like(unit, 1 / k) * idle(point, largest)
    hessian = hessian + of_penalty + jnp.kron(extra, eye)
    right = [-point.value.gradient]
    if cost.traits.vanishing:
        right.append(little(point.majorant) * point.value.coefficients)
    found = definite_solver(jnp.maximum(blend, 1.0) * hessian)(jnp.stack(right).T.reshape(k * m, -1))
    step, *gone = found.reshape(k, m, -1).T
    return step, gone[0] if gone else jnp.zeros_like(step)


def _lower(blend: Array, error: Array, traits: Traits) -> Array:
    """λ after a success; of a loss that is not convex at least 1 while it is far out."""
    far_out = traits.residual and not traits.convex
    return jnp.where(error < NEAR, lower(blend), jnp.maximum(lower(blend), 1.0)) if far_out else lower(blend)


def _outcome(cost: Cost, ended: _State) -> Outcome:
    value, convex, stalled = ended.point.value, cost.traits.convex, ended.blend >= MOST
    bent = jnp.array(not convex)
    reached = code(cost.design, value, settled=ended.settled, stalled=stalled, bent=bent, escaping=ended.escaping)
    if cost.traits.flat and cost.design.formed is not None:
        # Of a table in blocks the Hessian is not of all examples.
        determined = one_minimiser(penalised_hessian(cost, ended.point), cost.design.formed)
        reached = jnp.where((reached == Status.CONVERGED) & ~determined, Status.NOT_UNIQUE, reached)
    known = ended.settled & ~bent & jnp.isfinite(ended.promised)
    gap = jnp.where(known, jnp.maximum(ended.promised, 0.0), jnp.inf)
    # The last step is taken unseen: so near the minimum Newton's leads to the floor of rounding. Where the loss is not
    # convex, only one that moves no score by much.
    short = convex | (length(ended.step) * len(cost.targets) ** 0.5 <= STILL)
    last = ended.settled & short & all_finite(ended.step) & ~ended.again
    coefficients = value.coefficients + jnp.where(last, ended.step, 0.0)
    params = cost.params(coefficients)
    found = Outcome(params, gap, ended.iterations, reached, cost=value.cost)
    if cost.design.formed is not None or not convex:
        return found
    # Of a table in blocks it saves a pass to know what the last step lowers, and that the way from the basis raises
    # nothing.
    lost = cost.lost(params, coefficients)
    doubt = jnp.maximum(ended.left * ended.promised, ended.point.majorant * dot(lost, lost))
    return found._replace(
        cost=value.cost - jnp.where(last, ended.promised, 0.0), exact=last & (doubt <= value.rounding)
    )
