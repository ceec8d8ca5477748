"""Newton's method for smooth losses, safeguarded by majorisation.

In the orthonormal basis of the design a step solves H dc = -g with H = Σ s_i u_i u_i' (x) W_i + penalty'penalty. Newton
takes for W_i the curvature h_i of the loss at example i; majorisation takes a curvature m_i that the parabola through
the present point needs to lie above the loss: ψ(r)/r for a loss of the residual that grows more slowly than r²
(iteratively reweighted least squares), else the largest curvature present. The step here blends the two,

    W = h + λ (m - h) for λ ≤ 1, and beyond that λ m:

λ = 0 converges quadratically (on a Huber cost it ends exactly, once the right examples are inside), λ = 1 always
descends where m majorises, and λ → ∞ is a short gradient step, which descends for any smooth loss. λ falls after a
success and rises after a failure, so an iteration costs one evaluation of the loss and one factorisation whatever
happens: nothing nested, which vmap would run to the longest.

A step succeeds if the cost falls by a fraction of what the slope promises; at the end, where the cost is all rounding,
if the slope along the step has turned up by no more than a quadratic's would (Hager and Zhang 2005, equation 4.1).
A loss of the residual that is not convex keeps λ = 1 until its gradient is small: the basin is the one that reweighting
from the start reaches.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from .. import losses
from ..status import Status
from ._design import Design
from ._outcome import Outcome
from ._traits import Traits
from .separation import falls_for_ever


# λ takes the values 0, 1/64, 1/8, 1, 8, ...: failure multiplies by 8, success divides.
_FACTOR, _LEAST, _MOST = 8.0, 1 / 64, 8.0**12
# The relative gradient from which a loss that is not convex is taken to be in the basin of its minimum.
_NEAR = 1e-2


class _Point(NamedTuple):
    """The cost and its derivatives at some coefficients; `error` is the gradient relative to the sum of |terms|."""

    coefficients: Float[Array, "m k"]
    cost: Float[Array, ""]
    rounding: Float[Array, ""]
    gradient: Float[Array, "m k"]
    error: Float[Array, ""]
    curvature: Float[Array, "n k k"]
    majorant: Float[Array, " n"]


class _State(NamedTuple):
    point: _Point
    step: Float[Array, "m k"]
    blend: Float[Array, ""]
    stretch: Float[Array, ""]
    iterations: Int[Array, ""]
    settled: Array
    finished: Array
    escaping: Array


def solve(
    loss: losses.Loss,
    design: Design,
    targets: Shaped[Array, "n *t"],
    start: Float[Array, "m k"],
    traits: Traits,
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² from `start`; `loss` takes a vector of scores, of length 1 for a scalar loss."""
    evaluate = functools.partial(_evaluate, loss, design, targets, traits, tolerance)
    graduated = traits.residual and traits.convex

    def iterate(state: _State) -> _State:
        trial = evaluate(state.point.coefficients + state.step, state.stretch)
        success = _succeeds(state, trial)
        point = jax.tree.map(lambda new, old: jnp.where(success, new, old), trial, state.point)
        blend = _next_blend(state.blend, success, point, traits)
        step = _step(design, point, blend, traits)
        stretch = state.stretch
        if graduated:
            shrink = (stretch > 1) & success & (point.error < _READY)& (state.point.cost<jnp.inf)
            stretch = jnp.where(shrink, jnp.maximum(stretch / _LEVEL, 1.0), stretch)
            step = jnp.where(shrink, 0.0, step)
            point = point._replace(cost=jnp.where(shrink, jnp.inf, point.cost))
        escaping = falls_for_ever(loss, design, targets, step) if traits.vanishing else jnp.array(False)
        settled = _settled(design, point, step, traits, tolerance) & (stretch == 1)
        # One step more after the tolerance is met takes a quadratically convergent method to the floor of rounding.
        finished = (settled & state.settled) | escaping | (blend >= _MOST)
        return _State(point, step, blend, stretch, state.iterations + 1, settled, finished, escaping)

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    ended = jax.lax.while_loop(unfinished, iterate, _initial(jax.eval_shape(evaluate, start, 1.0), start, traits, _first(loss, design, targets, start) if graduated else jnp.ones((), start.dtype)))
    return _outcome(design, ended, traits)


def _initial(shapes: _Point, start: Array, traits: Traits, stretch) -> _State:
    # A cost of infinity and a step of zero make the first iteration evaluate the start and accept it, so that the
    # evaluation is compiled once.
    blank = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    blank = blank._replace(coefficients=start, cost=jnp.full_like(blank.cost, jnp.inf))
    blend = jnp.full_like(blank.cost, 0.0 if traits.convex else 1.0)
    no = jnp.array(False)
    return _State(blank, jnp.zeros_like(start), blend, stretch, jnp.zeros((), int), no, no, no)


def _evaluate(
    loss: losses.Loss, design: Design, targets: Array, traits: Traits, tolerance: Array, coefficients: Array, stretch: Array
) -> _Point:
    scores = design.rows @ coefficients
    if traits.residual:
        stretched = lambda score, target: stretch * stretch * loss((score - target[None]) / stretch, jnp.zeros_like(target))
    else:
        stretched = loss
    values, slopes, curvature = jax.vmap(_derivatives(stretched))(scores, targets)
    share, eps = design.share[:, None], jnp.finfo(scores.dtype).eps
    penalised = design.penalty @ coefficients
    gradient = design.rows.T @ (share * slopes) + design.penalty.T @ penalised
    majorant = _majorant(slopes, scores, targets, curvature, traits)
    # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
    blur = 8 * eps * majorant[:, None] * jnp.abs(scores) / tolerance
    scale = jnp.abs(design.rows).T @ (share * (jnp.abs(slopes) + blur)) + jnp.abs(design.penalty).T @ jnp.abs(penalised)
    size = share[:, 0] @ (jnp.abs(values) + jnp.sum(jnp.abs(slopes * scores), axis=1))
    return _Point(
        coefficients=coefficients,
        cost=design.share @ values + jnp.sum(penalised**2) / 2,
        rounding=8 * eps * (size + jnp.sum(penalised**2) / 2),
        gradient=gradient,
        error=jnp.max(jnp.where(scale > 0, jnp.abs(gradient) / jnp.where(scale > 0, scale, 1.0), 0.0)),
        curvature=curvature,
        majorant=majorant,
    )


_LEVEL, _READY, _T0 = 8.0, 0.3, 8.

def _first(loss, design, targets, start):
    residual = (design.rows @ start)[:, 0] - targets
    largest = jnp.max(jnp.where(design.share > 0, jnp.abs(residual), 0.0))
    levels = _LEVEL ** jnp.arange(24).astype(largest.dtype)
    def weight(level):
        at = largest / level
        slope = jax.grad(lambda r: loss(r[None], jnp.zeros_like(r)))
        return jnp.minimum(slope(at) / at, slope(-at) / -at)
    weights = jax.vmap(weight)(levels)
    enough = weights >= weights[-1] / _T0
    return jnp.where(largest > 0, levels[jnp.argmax(enough)], 1.0)


def _derivatives(loss: losses.Loss) -> Callable[[Array, Array], tuple[Array, Array, Array]]:
    """Value, slope (k,) and curvature (k, k) of one example."""

    def derivatives(score: Array, target: Array) -> tuple[Array, Array, Array]:
        def slope(s: Array) -> tuple[Array, tuple[Array, Array]]:
            value, gradient = jax.value_and_grad(loss)(s, target)
            return gradient, (value, gradient)

        curvature, (value, gradient) = jax.jacfwd(slope, has_aux=True)(score)
        return value, gradient, curvature

    return derivatives


def _majorant(slopes: Array, scores: Array, targets: Array, curvature: Array, traits: Traits) -> Array:
    own = jnp.max(jnp.abs(curvature), axis=(1, 2))
    if not traits.residual:
        return jnp.full_like(own, jnp.max(own))
    residual = scores[:, 0] - targets
    zero = residual == 0
    return jnp.where(zero, own, jnp.maximum(slopes[:, 0] / jnp.where(zero, 1.0, residual), curvature[:, 0, 0]))


def _step(design: Design, point: _Point, blend: Array, traits: Traits) -> Array:
    """-H⁻¹g; NaN, which no test accepts, where H is not positive definite."""
    (m, k), unit = point.coefficients.shape, jnp.eye(point.coefficients.shape[1], dtype=blend.dtype)
    bounded = point.majorant[:, None, None] * unit[None]
    weights = design.share[:, None, None] * (
        point.curvature + jnp.minimum(blend, 1.0) * (bounded - point.curvature)
    )
    largest = jnp.max(jnp.where(design.share > 0, point.majorant, 0.0))
    largest = jnp.where(largest > 0, largest, 1.0)
    # Directions without curvature (all examples outside, columns of zeros) get a little.
    extra = 8 * jnp.finfo(blend.dtype).eps * largest * unit
    if traits.shift:
        # Equal changes of all classes change nothing, and with this curvature the steps have none.
        extra = extra + jnp.full_like(unit, 1 / k) * largest
    by_class = lambda w: jnp.einsum("na,nk,nb->akb", design.rows, w, design.rows)  # noqa: E731
    hessian = jax.lax.map(by_class, jnp.moveaxis(weights, 2, 0)) if k > 1 else by_class(weights[:, :, 0])[None]
    shared = (design.penalty.T @ design.penalty)[:, None, :, None] * unit[None, :, None, :]
    identity = jnp.eye(m, dtype=blend.dtype)[:, None, :, None] * extra[None, :, None, :]
    hessian = jnp.maximum(blend, 1.0) * (jnp.moveaxis(hessian, 0, 3) + shared + identity)
    factor = jnp.linalg.cholesky(hessian.reshape(m * k, m * k))
    return -jax.scipy.linalg.cho_solve((factor, True), point.gradient.reshape(m * k)).reshape(m, k)


def _succeeds(state: _State, trial: _Point) -> Array:
    promised = jnp.sum(state.point.gradient * state.step)
    enough = trial.cost <= state.point.cost + 1e-4 * promised
    level = trial.cost <= state.point.cost + state.point.rounding
    turned = jnp.sum(trial.gradient * state.step) <= -0.8 * promised
    return jnp.isfinite(trial.cost) & (enough | (level & turned))


def _next_blend(blend: Array, success: Array, point: _Point, traits: Traits) -> Array:
    lower = jnp.where(blend > _LEAST, blend / _FACTOR, 0.0)
    if not traits.convex and traits.residual:
        lower = jnp.where(point.error < _NEAR, lower, jnp.clip(lower, 1.0, None))
    return jnp.where(success, lower, jnp.maximum(blend * _FACTOR, _LEAST))


def _settled(design: Design, point: _Point, step: Array, traits: Traits, tolerance: Array) -> Array:
    settled = point.error <= tolerance
    if traits.vanishing:
        # On quasi-separable data the gradient fades while the steps do not: leave that to the certificate.
        settled &= jnp.max(jnp.abs(design.rows @ step)) <= 1e-2
    return settled


def _outcome(design: Design, ended: _State, traits: Traits) -> Outcome:
    point = ended.point
    bent = jnp.any(point.curvature < 0) if traits.convex is None else jnp.array(not traits.convex)
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    found = jnp.where(bent, Status.LOCAL_MINIMUM, found)
    short = jnp.where(ended.blend >= _MOST, Status.STALLED, Status.OUT_OF_STEPS)
    code = jnp.where(ended.settled, found, short)
    code = jnp.where(ended.escaping, Status.NO_FINITE_MINIMISER, code)
    decrement = -jnp.sum(point.gradient * ended.step) / 2
    known = ~bent & ~ended.escaping & jnp.isfinite(decrement)
    gap = jnp.where(known, jnp.maximum(decrement, 0.0), jnp.inf)
    # The step that proves separation also separates.
    coefficients = point.coefficients + jnp.where(ended.escaping, ended.step, 0.0)
    return Outcome(
        design.decode(coefficients), gap, ended.iterations, jnp.where(jnp.isfinite(point.cost), code, Status.DIVERGED)
    )
