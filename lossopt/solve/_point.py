"""A point of Newton's method: the cost and its derivatives at some coefficients, by one pass over the examples."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses
from ._blocks import Fold
from ._design import Design
from ._normal import gram
from ._traits import Traits


class Point(NamedTuple):
    """The cost and its derivatives at some coefficients.

    `error` is the size of the gradient relative to the root mean square of the slopes, which in an orthonormal basis
    it cannot exceed; `rounding` the size of the errors in the cost; `hessian` that of the loss alone, indexed
    (class, coefficient, class, coefficient); `majorant` and `least` the largest majorant and the least curvature of an
    example; `moved` how far the last step moved a score; `each` what the next step needs of every example: scores and,
    where it has a force, slope and weight.
    """

    coefficients: Float[Array, "m k"]
    cost: Float[Array, ""]
    rounding: Float[Array, ""]
    gradient: Float[Array, "m k"]
    error: Float[Array, ""]
    hessian: Float[Array, "k m k m"]
    majorant: Float[Array, ""]
    least: Float[Array, ""]
    moved: Float[Array, ""]
    each: tuple[Array, ...]


class Cost(NamedTuple):
    """What is minimised: the mean loss over a design with its penalty, and what is known of the loss.

    `tolerance` is what the gradient's error is compared with.
    """

    loss: losses.Loss
    design: Design
    targets: Array
    traits: Traits
    tolerance: Array


class _Examples(NamedTuple):
    """Scores and derivatives of a block: values (n,), slopes (k, n), curvature and weight in a Hessian (k, k, n)."""

    scores: Array
    values: Array
    slopes: Array
    curvature: Array
    majorant: Array
    weights: Array
    each: tuple[Array, ...]


def visit(cost: Cost, origin: Point, step: Array, blend: Array, every: Array) -> Point:
    """The point a step further.

    Of a small table everything is summed in one pass. Of one in blocks a Hessian is summed apart, over one in `every`
    blocks; with 0 the last is kept. `blend` is its λ.
    """
    design, traits, eps = cost.design, cost.traits, jnp.finfo(step.dtype).eps
    coefficients = origin.coefficients + step
    inner = design.inner(coefficients)

    def of_block(basis: Array, share: Array, targets: Array, *last: Array) -> Fold:
        found = _examples(cost, inner, blend, basis, targets, *last)
        size = jnp.abs(found.values) + jnp.sum(jnp.abs(found.slopes * found.scores), axis=0)
        # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
        blur = (8 * eps / cost.tolerance * found.majorant)[None] * found.scores
        sums = (
            jnp.stack([found.values, size, jnp.sum(found.slopes**2 + blur**2, axis=0)]) @ share,
            jnp.einsum("an,kn->ak", basis, share[None] * found.slopes),
            () if design.formed is None else _hessian(basis, share[None, None] * found.weights),
        )
        counted, none = share > 0, jnp.zeros((), share.dtype)
        moved = jnp.max(jnp.abs(found.scores - last[0].T)) if traits.vanishing else none
        largest = (
            jnp.max(jnp.where(counted, found.majorant, 0.0)),
            jnp.max(jnp.where(counted[None, None], -found.curvature, -jnp.inf)) if traits.convex is None else none,
            moved,
        )
        return Fold(sums, largest, found.each)

    def hessian_of_block(basis: Array, share: Array, targets: Array, *last: Array) -> Fold:
        found = _examples(cost, inner, blend, basis, targets, *last)
        return Fold((_hessian(basis, share[None, None] * found.weights), jnp.sum(share)))

    sums, (majorant, most, moved), each = design.fold(of_block, cost.targets, *origin.each)
    (value, size, steep), gradient, hessian = sums
    if design.change is not None:
        summed, part = design.fold(hessian_of_block, cost.targets, *origin.each, every=every).sums
        summed = jnp.einsum("pa,jpkq,qb->jakb", design.change, summed, design.change)
        hessian = jnp.where(part > 0, summed / jnp.where(part > 0, part, 1.0), origin.hessian)
    shrunk = design.penalty @ coefficients
    gradient = design.outer(gradient) + design.penalty.T @ shrunk
    scale = jnp.sqrt(steep + jnp.sum(shrunk**2))
    penalised = jnp.sum(shrunk**2) / 2
    return Point(
        coefficients=coefficients,
        cost=value + penalised,
        rounding=8 * eps * (size + penalised),
        gradient=gradient,
        error=jnp.where(scale > 0, jnp.linalg.norm(gradient) / jnp.where(scale > 0, scale, 1.0), 0.0),
        hessian=hessian,
        majorant=majorant,
        least=-most,
        moved=moved,
        each=each,
    )


def unseen(cost: Cost, start: Array) -> Point:
    """The start, before it has been evaluated: its cost is infinite, so that whatever is found there succeeds."""
    (m, k), zero = start.shape, jnp.zeros((), start.dtype)
    rows, force = cost.design.share.size, has_force(cost.traits)
    each = (jnp.zeros((rows, k), start.dtype),) if cost.traits.vanishing or force else ()
    return Point(
        coefficients=start,
        cost=zero + jnp.inf,
        rounding=zero,
        gradient=jnp.zeros_like(start),
        error=zero + jnp.inf,
        hessian=jnp.zeros((k, m, k, m), start.dtype),
        majorant=zero,
        least=zero,
        moved=zero,
        each=(*each, *(2 * (jnp.zeros(rows, start.dtype),) if force else ())),
    )


def has_force(traits: Traits) -> bool:
    """Whether each example has a λ of its own."""
    return traits.residual and bool(traits.convex)


def _examples(cost: Cost, inner: Array, blend: Array, basis: Array, targets: Array, *last: Array) -> _Examples:
    scores = inner.T @ basis
    derivatives = jax.vmap(_derivatives(cost.loss), in_axes=(1, 0), out_axes=-1)
    # Many sums are taken of them: none should compute them again.
    values, slopes, curvature = jax.lax.optimization_barrier(derivatives(scores, targets))
    residual = scores[0] - targets if cost.traits.residual else None
    majorant = _majorant(values, slopes, curvature, residual)
    weights = curvature
    each: tuple[Array, ...] = (scores.T,) if last else ()
    if residual is not None:
        own = curvature[0, 0]
        share = jnp.minimum(blend, 1.0)
        if has_force(cost.traits):
            share = jnp.maximum(share, _lag(slopes[0], scores[0] - last[0][:, 0], *last[1:]))
        weight = own + share * (majorant - own)
        weights = weight[None, None]
        each = (*each, slopes[0], weight) if has_force(cost.traits) else each
    return _Examples(scores, values, slopes, curvature, majorant, weights, each)


def _hessian(basis: Array, weights: Array) -> Array:
    """Σ W_jk u u', indexed (j, a, k, b); one class at a time, for the largest array is then (k, m, n)."""
    if weights.shape[0] == 1:
        return gram(basis, weights[0, 0])[None, :, None]
    by_class = lambda w: jnp.einsum("an,kn,bn->akb", basis, w, basis)  # noqa: E731
    return jax.lax.map(by_class, weights)


def _derivatives(loss: losses.Loss) -> Callable[[Array, Array], tuple[Array, Array, Array]]:
    """Value, slope (k,) and curvature (k, k) of one example."""

    def derivatives(score: Array, target: Array) -> tuple[Array, Array, Array]:
        def slope(s: Array) -> tuple[Array, tuple[Array, Array]]:
            value, gradient = jax.value_and_grad(loss)(s, target)
            return gradient, (value, gradient)

        curvature, (value, gradient) = jax.jacfwd(slope, has_aux=True)(score)
        return value, gradient, curvature

    return derivatives


def _majorant(values: Array, slopes: Array, curvature: Array, residual: Array | None) -> Array:
    """A curvature for each example; for a loss that is not of a residual the largest of all is one."""
    own = jnp.max(jnp.abs(curvature), axis=(0, 1))
    if residual is None:
        # A loss that never falls below 0 has a curvature of at least |slope|²/(2 loss) somewhere.
        positive = values > 0
        implied = jnp.where(positive, jnp.sum(slopes**2, axis=0) / (2 * jnp.where(positive, values, 1.0)), 0.0)
        return jnp.maximum(own, implied)
    zero = residual == 0
    return jnp.where(zero, own, jnp.maximum(slopes[0] / jnp.where(zero, 1.0, residual), curvature[0, 0]))


def _lag(slope: Array, moved: Array, last_slope: Array, last_weight: Array) -> Array:
    """1 - α/ψ of each example, from the force α that the last step promised."""
    force, zero = last_slope + last_weight * moved, slope == 0
    return jnp.where(zero, 0.0, 1 - jnp.clip(force / jnp.where(zero, 1.0, slope), 0.0, 1.0))
