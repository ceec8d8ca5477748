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

A step succeeds if the cost falls by a fraction of what the slope promises; at the end, where the cost is all rounding,
if the slope along the step has turned up by no more than a parabola's would (Hager and Zhang 2005, equation 4.1).
A loss of the residual that is not convex keeps λ = 1 until its gradient is small: the basin is then the one that
reweighting from the start reaches.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from .. import losses
from ..status import Status
from ._design import Design
from ._outcome import Outcome
from ._traits import Traits
from .separation import falls_for_ever


# λ: the factor by which it falls and rises, where it starts to rise and where it has fallen to 0, where all is lost.
_FACTOR, _FIRST, _NONE, _MOST = 8.0, 1 / 8, 1e-10, 8.0**12
# The relative gradient from which a loss that is not convex is taken to be in the basin of its minimum.
_NEAR = 1e-2


class _Point(NamedTuple):
    """The cost and its derivatives at some coefficients, and per example slope, curvature and majorant.

    `error` is the size of the gradient relative to the root mean square of the slopes, which in an orthonormal basis
    it cannot exceed; `rounding` the size of the errors in the cost; `lag` the least λ of each example.
    """

    coefficients: Float[Array, "m k"]
    cost: Float[Array, ""]
    rounding: Float[Array, ""]
    gradient: Float[Array, "m k"]
    error: Float[Array, ""]
    slope: Float[Array, "n k"]
    curvature: Float[Array, "n k k"]
    majorant: Float[Array, " n"]
    lag: Float[Array, " n"]


class _State(NamedTuple):
    """A point, the step to try from it and what it does to the scores, and λ."""

    point: _Point
    step: Float[Array, "m k"]
    moved: Float[Array, "n k"]
    blend: Float[Array, ""]
    iterations: Int[Array, ""]
    settled: Bool[Array, ""]
    finished: Bool[Array, ""]
    escaping: Bool[Array, ""]


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

    def iterate(state: _State) -> _State:
        trial = evaluate(state.point.coefficients + state.step)
        if traits.residual and traits.convex:
            trial = trial._replace(lag=_lag(state, trial.slope))
        success = _succeeds(state, trial)
        point = jax.tree.map(lambda new, old: jnp.where(success, new, old), trial, state.point)
        blend = _next_blend(state.blend, success, point, traits)
        step = _step(design, point, blend, traits)
        moved = design.rows @ step
        escaping = falls_for_ever(loss, design, targets, step, moved) if traits.vanishing else jnp.array(False)
        settled = point.error <= tolerance
        if traits.vanishing:
            # On quasi-separable data the gradient fades while the steps do not: leave that to the certificate.
            settled &= jnp.max(jnp.abs(moved)) <= 1e-2
        # One step more after the tolerance is met takes a quadratically convergent method to the floor of rounding.
        finished = (settled & state.settled) | escaping | (blend >= _MOST)
        return _State(point, step, moved, blend, state.iterations + 1, settled, finished, escaping)

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    shapes = jax.eval_shape(evaluate, start)
    return _outcome(design, jax.lax.while_loop(unfinished, iterate, _initial(shapes, start, traits)), traits)


def _initial(shapes: _Point, start: Array, traits: Traits) -> _State:
    # A cost of infinity and a step of zero make the first iteration evaluate the start and accept it, so that the
    # evaluation is compiled once.
    blank = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    blank = blank._replace(coefficients=start, cost=jnp.full_like(blank.cost, jnp.inf))
    blend = jnp.full_like(blank.cost, 0.0 if traits.convex else 1.0)
    no = jnp.array(False)
    return _State(blank, jnp.zeros_like(start), jnp.zeros_like(blank.slope), blend, jnp.zeros((), int), no, no, no)


def _evaluate(
    loss: losses.Loss, design: Design, targets: Array, traits: Traits, tolerance: Array, coefficients: Array
) -> _Point:
    n, eps = design.share.size, jnp.finfo(coefficients.dtype).eps
    everything = design.table @ coefficients
    scores, shrunk = everything[:n], everything[n:]
    values, slopes, curvature = jax.vmap(_derivatives(loss))(scores, targets)
    residual = scores[:, 0] - targets if traits.residual else None
    majorant, share = _majorant(values, slopes, curvature, residual), design.share[:, None]
    gradient = design.table.T @ jnp.concatenate([share * slopes, shrunk])
    # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
    blur = 8 * eps * majorant[:, None] * scores / tolerance
    scale = jnp.sqrt(jnp.sum(share * (slopes**2 + blur**2)) + jnp.sum(shrunk**2))
    penalised = jnp.sum(shrunk**2) / 2
    size = design.share @ (jnp.abs(values) + jnp.sum(jnp.abs(slopes * scores), axis=1))
    return _Point(
        coefficients=coefficients,
        cost=design.share @ values + penalised,
        rounding=8 * eps * (size + penalised),
        gradient=gradient,
        error=jnp.where(scale > 0, jnp.linalg.norm(gradient) / jnp.where(scale > 0, scale, 1.0), 0.0),
        slope=slopes,
        curvature=curvature,
        majorant=majorant,
        lag=jnp.zeros_like(majorant),
    )


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
    """A curvature for each example; for a loss that is not of a residual one number, the largest known of."""
    own = jnp.max(jnp.abs(curvature), axis=(1, 2))
    if residual is None:
        # A loss that never falls below 0 has a curvature of at least |slope|²/(2 loss) somewhere.
        positive = values > 0
        implied = jnp.where(positive, jnp.sum(slopes**2, axis=1) / (2 * jnp.where(positive, values, 1.0)), 0.0)
        return jnp.full_like(own, jnp.max(jnp.maximum(own, implied)))
    zero = residual == 0
    return jnp.where(zero, own, jnp.maximum(slopes[:, 0] / jnp.where(zero, 1.0, residual), curvature[:, 0, 0]))


def _weights(point: _Point, blend: Array) -> Array:
    """W for λ up to 1, each example with its own where that is larger."""
    share = jnp.maximum(point.lag, jnp.minimum(blend, 1.0))[:, None, None]
    unit = jnp.eye(point.curvature.shape[1], dtype=blend.dtype)[None]
    return point.curvature + share * (point.majorant[:, None, None] * unit - point.curvature)


def _lag(state: _State, slope: Array) -> Array:
    """1 - α/ψ at the new point, from the force α that the step promised."""
    force = state.point.slope[:, 0] + _weights(state.point, state.blend)[:, 0, 0] * state.moved[:, 0]
    zero = slope[:, 0] == 0
    return jnp.where(zero, 0.0, 1 - jnp.clip(force / jnp.where(zero, 1.0, slope[:, 0]), 0.0, 1.0))


def _step(design: Design, point: _Point, blend: Array, traits: Traits) -> Array:
    """-H⁻¹g; NaN, which no test accepts, where H is not positive definite."""
    (m, k), unit = point.coefficients.shape, jnp.eye(point.coefficients.shape[1], dtype=blend.dtype)
    largest = jnp.max(jnp.where(design.share > 0, point.majorant, 0.0))
    largest = jnp.where(largest > 0, largest, 1.0)
    # Directions without curvature (all examples outside, columns of zeros) get a little.
    extra = 8 * jnp.finfo(blend.dtype).eps * largest * unit
    if traits.shift:
        # Equal changes of all classes change nothing, and with this curvature the steps have none.
        extra = extra + jnp.full_like(unit, 1 / k) * largest
    penalty = jnp.broadcast_to(unit, (design.table.shape[0] - design.share.size, k, k))
    weights = jnp.concatenate([design.share[:, None, None] * _weights(point, blend), penalty])
    # One class at a time, for the largest array is then (n, m k): Σ s W_jk u u', indexed (j, a, k, b).
    by_class = lambda w: jnp.einsum("na,nk,nb->akb", design.table, w, design.table)  # noqa: E731
    hessian = by_class(weights[:, 0])[None] if k == 1 else jax.lax.map(by_class, jnp.moveaxis(weights, 1, 0))
    added = jnp.kron(extra, jnp.eye(m, dtype=blend.dtype))
    factor = jnp.linalg.cholesky(jnp.maximum(blend, 1.0) * (hessian.reshape(k * m, k * m) + added))
    return -jax.scipy.linalg.cho_solve((factor, True), point.gradient.T.reshape(k * m)).reshape(k, m).T


def _succeeds(state: _State, trial: _Point) -> Array:
    promised = jnp.sum(state.point.gradient * state.step)
    enough = trial.cost <= state.point.cost + 1e-4 * promised
    level = trial.cost <= state.point.cost + state.point.rounding
    turned = jnp.sum(trial.gradient * state.step) <= -0.8 * promised
    return jnp.isfinite(trial.cost) & (enough | (level & turned))


def _next_blend(blend: Array, success: Array, point: _Point, traits: Traits) -> Array:
    lower = jnp.where(blend > _NONE, blend / _FACTOR, 0.0)
    if not traits.convex and traits.residual:
        lower = jnp.where(point.error < _NEAR, lower, jnp.maximum(lower, 1.0))
    return jnp.where(success, lower, jnp.where(blend > 0, blend * _FACTOR, _FIRST))


def _outcome(design: Design, ended: _State, traits: Traits) -> Outcome:
    point = ended.point
    bent = jnp.any(point.curvature < 0) if traits.convex is None else jnp.array(not traits.convex)
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    found = jnp.where(bent, Status.LOCAL_MINIMUM, found)
    short = jnp.where(ended.blend >= _MOST, Status.STALLED, Status.OUT_OF_STEPS)
    code = jnp.where(ended.settled, found, short)
    code = jnp.where(ended.escaping, Status.NO_FINITE_MINIMISER, code)
    code = jnp.where(jnp.isfinite(point.cost), code, Status.DIVERGED)
    decrement = -jnp.sum(point.gradient * ended.step) / 2
    known = ~bent & ~ended.escaping & jnp.isfinite(decrement)
    gap = jnp.where(known, jnp.maximum(decrement, 0.0), jnp.inf)
    # The step that proves separation also separates.
    coefficients = point.coefficients + jnp.where(ended.escaping, ended.step, 0.0)
    return Outcome(design.decode(coefficients), gap, ended.iterations, code)
