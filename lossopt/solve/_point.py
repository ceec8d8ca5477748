"""A point of Newton's method: the cost and its derivatives at some coefficients, by one pass over the examples."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses
from ..losses._derivatives import value_slope_curvature
from ..losses._elementary import sums
from ._blocks import Fold
from ._columns import Columns, of_parts, positive
from ._descent import Cost, error, penalised, unseen, Value
from ._design import ENOUGH, SAMPLED
from ._normal import dot, once, times
from ._traits import Traits


# The relative gradient from which a loss that is not convex is taken to be in the basin of its minimum, and a Hessian
# is kept. What a step leaves of the gradient at most for it to be kept once more.
NEAR, FAST = 1e-2, 0.25
# One in so many blocks is summed for the Hessian that is kept after a sample has been solved.
DENSELY = 4


class Point(NamedTuple):
    """The cost and its derivatives at some coefficients.

    `error` is that of the gradient; `hessian` that of the loss alone, indexed (class, coefficient, class, coefficient);
    `majorant` the largest majorant of an example; `moved` how far the last step moved a score; `each` what the next
    step needs of every example: scores and, where it has a force, slope and weight.
    """

    value: Value
    error: Float[Array, ""]
    hessian: Float[Array, "k m k m"]
    majorant: Float[Array, ""]
    moved: Float[Array, ""]
    each: tuple[Array, ...]


class _Examples(NamedTuple):
    """Scores and derivatives of a block: values (n,), slopes (k, n), curvature and weight in a Hessian (k, k, n)."""

    scores: Array
    values: Array
    slopes: Array
    curvature: Array
    majorant: Array
    weights: Array
    each: tuple[Array, ...]


def visit(cost: Cost, origin: Point, step: Array, blend: Array, every: Array, thin: Array | int = 1) -> Point:
    """The point a step further.

    Of a small table everything is summed. Of one in blocks a Hessian is summed over one in `every` blocks; with 0 the
    last is corrected by what the step has done to the gradient. `blend` is its λ. All else is summed over one in `thin`
    blocks, and the Hessian over no more. The majorant is of the blocks of the Hessian.
    """
    design, coefficients = cost.design, origin.value.coefficients + step
    unmoved = jnp.zeros_like(origin.moved)
    inner, along = design.inner(coefficients), design.inner(step)

    def of_block(basis: Columns, share: Array, targets: Array, *rest: Any) -> Fold:
        *last, bent = rest
        found = _examples(cost, inner, blend, basis, share, targets, *last)
        gradient = basis.moments(share[None] * found.slopes)
        (hessian, part), majorant = _bent(bent, basis, share, found)
        sums = (_sizes(cost, found) @ share, gradient, jnp.sum(share)), (hessian, part)
        # A score is linear in the coefficients: nobody need remember what it was.
        moves = jnp.abs(basis.scores(along)) if cost.traits.vanishing else unmoved
        return Fold(sums, (moves, majorant), found.each)

    every = jnp.where(every > 0, jnp.maximum(every, thin), 0)
    # The curvatures of the scores, and these by share and by weight.
    beside = 3 * step.shape[1] ** 2
    found = design.fold(of_block, cost.targets, *origin.each, every=thin, beside=beside, seldom=every)
    (((mean, size, steep), gradient, part), (hessian, curved)), (moves, majorant), each = found
    if design.formed is None:
        scale = jnp.where(jnp.asarray(thin) > 1, 1 / positive(part), 1.0)
        mean, size, steep, gradient = scale * mean, scale * size, scale * steep, scale * gradient
    value = penalised(cost, coefficients, mean, size, gradient, steep)
    if design.change is not None:
        hessian = jnp.einsum("pa,jpkq,qb->jakb", design.change, hessian, design.change) / positive(curved)
        hessian = jnp.where(curved > 0, hessian, _corrected(cost, origin, step, value.gradient))
        majorant = jnp.where(curved > 0, majorant, origin.majorant)
    moved = jnp.where(jnp.isfinite(origin.value.cost), jnp.max(moves), jnp.inf)
    return Point(value, error(value), hessian, majorant, moved, each)


def portion(every: Array, near: Array, fast: Array, success: Array) -> Array:
    """The next Hessian is of one in so many blocks, if the last was of one in `every`; 0 keeps it."""
    afresh = ~success | (near & (every == 0) & ~fast)
    return jnp.where(afresh, 1, jnp.where(near, 0, jnp.where(every == 0, SAMPLED, every)))


def penalty_of(cost: Cost) -> Array:
    """The Hessian of the penalty, as that of the loss is indexed, in two dimensions."""
    return jnp.kron(jnp.diag(cost.units**2), cost.design.penalty.T @ cost.design.penalty)


def penalised_hessian(cost: Cost, point: Point) -> Array:
    """The Hessian of loss and penalty, likewise in two dimensions."""
    of_penalty = penalty_of(cost)
    return point.hessian.reshape(of_penalty.shape) + of_penalty


def little(largest: Array) -> Array:
    """A curvature for directions that have none."""
    return 8 * jnp.finfo(largest.dtype).eps * jnp.where(largest > 0, largest, 1.0)


def idle(point: Point, largest: Array) -> Array:
    """A curvature for equal changes of all scores: the largest if they change nothing, as those of logits do, or 0."""
    m, k = point.value.gradient.shape
    if k == 1:
        return jnp.zeros_like(largest)
    across = jnp.trace(jnp.sum(point.hessian, axis=(0, 2))) / (m * k)
    return jnp.where(jnp.abs(across) <= jnp.sqrt(jnp.finfo(across.dtype).eps) * largest, largest, 0.0)


def _corrected(cost: Cost, origin: Point, step: Array, gradient: Array) -> Array:
    """The last Hessian, with the curvature seen along the step in place of its own."""
    whole, (m, k) = penalised_hessian(cost, origin), step.shape
    along, change = (array.T.reshape(k * m) for array in (step, gradient - origin.value.gradient))
    expected = times(whole, along)
    seen, foreseen = dot(along, change), dot(along, expected)
    # Rounding has taken a curvature that is not positive, or the loss is not convex.
    known = (seen > 0) & (foreseen > 0)
    more = jnp.outer(change, change) / jnp.where(known, seen, 1.0)
    less = jnp.outer(expected, expected) / jnp.where(known, foreseen, 1.0)
    return origin.hessian + jnp.where(known, more - less, 0.0).reshape(origin.hessian.shape)


def start_at(cost: Cost, start: Array) -> Point:
    """The start, before it is evaluated."""
    (m, k), value = start.shape, unseen(start)
    zero, nothing = jnp.zeros_like(value.cost), jnp.zeros(len(cost.targets), start.dtype)
    each = (nothing, nothing, nothing) if has_force(cost) else ()
    return Point(value, value.cost, jnp.zeros((k, m, k, m), start.dtype), zero, zero, each)


def worth_sampling(cost: Cost) -> bool:
    """Whether a table is so long that a sample of it is best solved first."""
    coefficients = cost.design.penalty.shape[1] * cost.units.size
    long = cost.design.formed is None and len(cost.targets) >= SAMPLED * ENOUGH * coefficients
    # What has no curvature goes as far as the slope of the sample, which is not that of all, sends it.
    return long and cost.traits.convex and not cost.traits.linear


def has_force(cost: Cost) -> bool:
    """Whether each example has a λ of its own."""
    return cost.traits.residual and cost.traits.convex and not worth_sampling(cost)


def _examples(
    cost: Cost, inner: Array, blend: Array, basis: Columns, share: Array, targets: Array, *last: Array
) -> _Examples:
    scores = basis.scores(inner)
    derivatives = jax.vmap(_derivatives(cost.loss), in_axes=(1, 0), out_axes=-1)
    # Many sums are taken of each: none should compute it again.
    values, slopes, curvature = map(jax.lax.optimization_barrier, derivatives(scores, targets))
    if cost.traits.singular:
        # Infinite, it would count even where the share is 0, or the example is nowhere but at 0.
        extent = basis.absolute.scores(jnp.ones_like(inner[:, 0]))
        curvature = jnp.where((share > 0) & (extent > 0), curvature, 0.0)
    # Not even for the rows of what is stacked, which no barrier prevents.
    values = once(values)
    residual = scores[0] - targets if cost.traits.residual else None
    majorant = _majorant(cost.traits, values, slopes, curvature, residual)
    weights = curvature
    each: tuple[Array, ...] = ()
    if residual is not None:
        own = curvature[0, 0]
        blended = jnp.minimum(blend, 1.0)
        if has_force(cost):
            blended = jnp.maximum(blended, _lag(slopes[0], scores[0] - last[0], *last[1:]))
        weight = once(own + blended * (majorant - own))
        weights = weight[None, None]
        if has_force(cost):
            each = (scores[0], slopes[0], weight)
    return _Examples(scores, values, slopes, curvature, majorant, weights, each)


def _sizes(cost: Cost, found: _Examples) -> Array:
    """Of each example the loss, the size of its terms and of its slope."""
    steep = found.slopes**2
    if cost.traits.met:
        # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
        steep += (8 * jnp.finfo(steep.dtype).eps / cost.tolerance * _bend(found.curvature)[None] * found.scores) ** 2
    size, steep = sums(jnp.abs(found.slopes * found.scores), steep)
    return jnp.stack([found.values, jnp.abs(found.values) + size, steep])


def _bent(wanted: Any, basis: Columns, share: Array, found: _Examples) -> tuple[tuple[Array, Array], Array]:
    """The Hessian with the share of the examples that it is of, and the largest majorant; 0 unless it is wanted."""

    def of(basis: Columns, share: Array, weights: Array, majorant: Array) -> tuple[tuple[Array, Array], Array]:
        hessian = _hessian(basis, share[None, None] * weights)
        return (hessian, jnp.sum(share)), jnp.max(jnp.where(share > 0, majorant, 0.0))

    each = share, found.weights, found.majorant
    if wanted is True:
        return of(basis, *each)
    m, k = len(basis.table) + basis.constant, len(found.slopes)

    # In a batch one after the other: `cond` would always compute both.
    @jax.custom_batching.sequential_vmap
    def if_wanted(wanted: Array, parts: Array, *each: Array) -> tuple[tuple[Array, Array], Array]:
        zero = jnp.zeros((), share.dtype)
        nothing = (jnp.zeros((k, m, k, m), share.dtype), zero), zero
        bent = lambda parts, *each: of(of_parts(parts, basis.constant), *each)  # noqa: E731
        return jax.lax.cond(wanted, bent, lambda *_: nothing, parts, *each)

    # What a branch is given lies in memory: the very array that the products see, or the block would lie there twice.
    return if_wanted(wanted, basis.parts, *each)


def _hessian(basis: Columns, weights: Array) -> Array:
    """Σ W_jk u u', indexed (j, a, k, b); one class at a time, for the largest array is then (k, m, n)."""
    if weights.shape[0] == 1:
        return basis.gram(weights[0, 0])[None, :, None]
    formed = basis.formed
    by_class = lambda w: jnp.einsum("an,kn,bn->akb", formed, w, formed)  # noqa: E731
    return jax.lax.map(by_class, weights)


def _derivatives(loss: losses.Loss) -> Callable[[Array, Array], tuple[Array, Array, Array]]:
    """Value, slope (k,) and curvature (k, k) of one example."""

    def derivatives(score: Array, target: Array) -> tuple[Array, Array, Array]:
        if score.size == 1:
            with contextlib.suppress(TypeError):  # where JAX knows no way forwards
                return _along(lambda s: loss(s, target), score)
        return value_slope_curvature(loss)(score, target)

    return derivatives


def _along(loss: Callable[[Array], Array], score: Float[Array, "1"]) -> tuple[Array, Array, Array]:
    """The derivatives along the one score there is: a third less to trace than the derivative of a gradient."""
    one = jnp.ones_like(score)
    (value, slope), (_, curvature) = jax.jvp(lambda at: jax.jvp(loss, (at,), (one,)), (score,), (one,))
    return value, slope[None], curvature[None, None]


def _majorant(traits: Traits, values: Array, slopes: Array, curvature: Array, residual: Array | None) -> Array:
    """A curvature for each example; for a loss that is not of a residual the largest of all is one."""
    own = _bend(curvature)
    if residual is None and not traits.positive:
        return own
    if residual is None:
        # A loss that never falls below 0 has a curvature of at least |slope|²/(2 loss) somewhere.
        positive = values > 0
        implied = jnp.where(positive, jnp.sum(slopes**2, axis=0) / (2 * jnp.where(positive, values, 1.0)), 0.0)
        return jnp.maximum(own, implied)
    zero = residual == 0
    return jnp.where(zero, own, jnp.maximum(slopes[0] / jnp.where(zero, 1.0, residual), curvature[0, 0]))


def _bend(curvature: Array) -> Array:
    return jnp.max(jnp.abs(curvature), axis=(0, 1))


def _lag(slope: Array, moved: Array, last_slope: Array, last_weight: Array) -> Array:
    """1 - α/ψ of each example, from the force α that the last step promised."""
    force, zero = last_slope + last_weight * moved, slope == 0
    lag = jnp.where(zero, 0.0, 1 - jnp.clip(force / jnp.where(zero, 1.0, slope), 0.0, 1.0))
    # What is only rounding would hide that the curvatures at the minimum leave some direction free.
    return jnp.where(lag < jnp.sqrt(jnp.finfo(lag.dtype).eps), 0.0, lag)
