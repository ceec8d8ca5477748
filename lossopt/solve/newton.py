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
from ._design import Design, Fold, gram
from ._normal import definite_solver
from ._outcome import Outcome
from ._traits import Traits
from .separation import falls_for_ever


# λ: the factor by which it falls and rises, where it starts to rise and where it has fallen to 0, where all is lost.
_FACTOR, _FIRST, _NONE, _MOST = 8.0, 1 / 8, 1e-10, 8.0**12
# The relative gradient from which a loss that is not convex is taken to be in the basin of its minimum.
_NEAR = 1e-2
# The movement of a score below which no step leads to infinity; the iterations before that is asked.
_STILL, _PATIENCE = 1e-2, 5


class _Point(NamedTuple):
    """The cost and its derivatives at some coefficients.

    `error` is the size of the gradient relative to the root mean square of the slopes, which in an orthonormal basis
    it cannot exceed; `rounding` the size of the errors in the cost; `hessian` that of the loss alone, indexed
    (class, coefficient, class, coefficient); `majorant` and `least` the largest majorant and the least curvature of an
    example; `moved` how far the last step moved a score; `slopes` and `weights` what the next step's force needs of
    each example, where it does.
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
    slopes: Float[Array, " rows"]
    weights: Float[Array, " rows"]


class _State(NamedTuple):
    """A point, the step to try from it, and the λ of both.

    After a failure under a loss of the residual the Hessian must be summed again, with a larger λ: `again`.
    """

    point: _Point
    step: Float[Array, "m k"]
    blend: Float[Array, ""]
    again: Bool[Array, ""]
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
    visit = functools.partial(_visit, loss, design, targets, traits, tolerance)

    def iterate(state: _State) -> _State:
        tried = jnp.where(state.again, 0.0, state.step)
        blend = jnp.where(state.again, state.blend, _lower(state.blend, state.point.error, traits))
        trial = visit(state.point, tried, blend)
        success = state.again | _succeeds(state, trial)
        blend = jnp.where(success, blend, _higher(state.blend))
        point = jax.tree.map(lambda new, old: jnp.where(success, new, old), trial, state.point)
        settled = point.error <= tolerance
        step, escaping = _step(design, point, blend, traits), jnp.array(False)
        if traits.vanishing:
            # On quasi-separable data the gradient fades while the steps do not: leave that to the certificate.
            still = point.moved <= _STILL
            settled &= still
            suspicious = ~still & (state.iterations >= _PATIENCE)
            escaping = falls_for_ever(loss, design, targets, tried, suspicious)
            # The step that proves separation also separates.
            point = point._replace(coefficients=point.coefficients + jnp.where(escaping & ~success, tried, 0.0))
        finished = settled | escaping | (blend >= _MOST)
        again = ~success if traits.residual else state.again
        return _State(point, step, blend, again, state.iterations + 1, settled, finished, escaping)

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    first = _initial(start, traits, design.share.size)
    return _outcome(design, jax.lax.while_loop(unfinished, iterate, first), traits)


def _initial(start: Array, traits: Traits, rows: int) -> _State:
    # A cost of infinity and a step of zero make the first iteration evaluate the start and accept it, so that the
    # evaluation is compiled once.
    (m, k), zero, no = start.shape, jnp.zeros((), start.dtype), jnp.array(False)
    each = jnp.zeros(rows if _has_force(traits) else 0, start.dtype)
    point = _Point(
        coefficients=start,
        cost=zero + jnp.inf,
        rounding=zero,
        gradient=jnp.zeros_like(start),
        error=zero + jnp.inf,
        hessian=jnp.zeros((k, m, k, m), start.dtype),
        majorant=zero,
        least=zero,
        moved=zero,
        slopes=each,
        weights=each,
    )
    blend = zero if traits.convex else zero + 1
    return _State(point, jnp.zeros_like(start), blend, no, jnp.zeros((), int), no, no, no)


def _has_force(traits: Traits) -> bool:
    return traits.residual and bool(traits.convex)


def _visit(
    loss: losses.Loss,
    design: Design,
    targets: Array,
    traits: Traits,
    tolerance: Array,
    origin: _Point,
    step: Array,
    blend: Array,
) -> _Point:
    """The point a step further: one pass over the rows. `blend` is the λ of the Hessian that it sums."""
    k, eps = step.shape[1], jnp.finfo(step.dtype).eps
    coefficients = origin.coefficients + step
    both = design.inner(jnp.concatenate([coefficients, step], axis=1))
    derivatives = jax.vmap(_derivatives(loss), in_axes=(1, 0), out_axes=-1)

    def of_block(basis: Array, share: Array, targets: Array, *last: Array) -> Fold:
        everything = both.T @ basis
        scores, moved = everything[:k], everything[k:]
        values, slopes, curvature = jax.lax.optimization_barrier(derivatives(scores, targets))
        residual = scores[0] - targets if traits.residual else None
        majorant = _majorant(values, slopes, curvature, residual)
        weights, kept = curvature, last
        if traits.residual:
            lag = _lag(slopes[0], moved[0], *last) if _has_force(traits) else jnp.zeros_like(majorant)
            weight = curvature[0, 0] + jnp.maximum(lag, jnp.minimum(blend, 1.0)) * (majorant - curvature[0, 0])
            weights = weight[None, None]
            kept = (slopes[0], weight) if _has_force(traits) else last
        size = jnp.abs(values) + jnp.sum(jnp.abs(slopes * scores), axis=0)
        # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
        blur = (8 * eps / tolerance * majorant)[None] * scores
        sums = (
            jnp.stack([values, size, jnp.sum(slopes**2 + blur**2, axis=0)]) @ share,
            jnp.einsum("an,kn->ak", basis, share[None] * slopes),
            _hessian(basis, share[None, None] * weights),
        )
        counted, none = share > 0, jnp.zeros((), share.dtype)
        largest = (
            jnp.max(jnp.where(counted, majorant, 0.0)),
            jnp.max(jnp.where(counted[None, None], -curvature, -jnp.inf)) if traits.convex is None else none,
            jnp.max(jnp.abs(moved)) if traits.vanishing else none,
        )
        return Fold(sums, largest, kept)

    last = (origin.slopes, origin.weights) if _has_force(traits) else ()
    sums, (majorant, most, moved), kept = design.fold(of_block, targets, *last)
    (value, size, steep), gradient, hessian = sums
    shrunk = design.penalty @ coefficients
    gradient = design.outer(gradient) + design.penalty.T @ shrunk
    scale = jnp.sqrt(steep + jnp.sum(shrunk**2))
    penalised = jnp.sum(shrunk**2) / 2
    if design.change is not None:
        hessian = jnp.einsum("pa,jpkq,qb->jakb", design.change, hessian, design.change)
    return _Point(
        coefficients=coefficients,
        cost=value + penalised,
        rounding=8 * eps * (size + penalised),
        gradient=gradient,
        error=jnp.where(scale > 0, jnp.linalg.norm(gradient) / jnp.where(scale > 0, scale, 1.0), 0.0),
        hessian=hessian,
        majorant=majorant,
        least=-most,
        moved=moved,
        slopes=kept[0] if kept else origin.slopes,
        weights=kept[1] if kept else origin.weights,
    )


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


def _step(design: Design, point: _Point, blend: Array, traits: Traits) -> Array:
    """-H⁻¹g; NaN, which no test accepts, where H is not positive definite."""
    (m, k), eps = point.coefficients.shape, jnp.finfo(blend.dtype).eps
    unit, eye = jnp.eye(k, dtype=blend.dtype), jnp.eye(m, dtype=blend.dtype)
    largest = jnp.where(point.majorant > 0, point.majorant, 1.0)
    penalty, hessian = design.penalty.T @ design.penalty, point.hessian.reshape(k * m, k * m)
    if not traits.residual:
        # The same majorant for all examples: in this basis their Hessian is what the penalty leaves of 1.
        above = jnp.kron(unit, largest * (eye - penalty))
        hessian = hessian + jnp.minimum(blend, 1.0) * (above - hessian)
    # Directions without curvature (all examples outside, columns of zeros) get a little.
    extra = 8 * eps * largest * unit
    if traits.shift:
        # Equal changes of all classes change nothing, and with this curvature the steps have none.
        extra = extra + jnp.full_like(unit, 1 / k) * largest
    hessian = hessian + jnp.kron(unit, penalty) + jnp.kron(extra, eye)
    solve_newton = definite_solver(jnp.maximum(blend, 1.0) * hessian)
    return -solve_newton(point.gradient.T.reshape(k * m)).reshape(k, m).T


def _succeeds(state: _State, trial: _Point) -> Array:
    promised = jnp.sum(state.point.gradient * state.step)
    enough = trial.cost <= state.point.cost + 1e-4 * promised
    level = trial.cost <= state.point.cost + state.point.rounding
    turned = jnp.sum(trial.gradient * state.step) <= -0.8 * promised
    return jnp.isfinite(trial.cost) & (enough | (level & turned))


def _lower(blend: Array, error: Array, traits: Traits) -> Array:
    """λ after a success."""
    lower = jnp.where(blend > _NONE, blend / _FACTOR, 0.0)
    far_out = traits.residual and not traits.convex
    return jnp.where(error < _NEAR, lower, jnp.maximum(lower, 1.0)) if far_out else lower


def _higher(blend: Array) -> Array:
    """λ after a failure."""
    return jnp.where(blend > 0, blend * _FACTOR, _FIRST)


def _outcome(design: Design, ended: _State, traits: Traits) -> Outcome:
    point = ended.point
    bent = point.least < 0 if traits.convex is None else jnp.array(not traits.convex)
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    found = jnp.where(bent, Status.LOCAL_MINIMUM, found)
    short = jnp.where(ended.blend >= _MOST, Status.STALLED, Status.OUT_OF_STEPS)
    code = jnp.where(ended.settled, found, short)
    code = jnp.where(ended.escaping, Status.NO_FINITE_MINIMISER, code)
    code = jnp.where(jnp.isfinite(point.cost), code, Status.DIVERGED)
    decrement = -jnp.sum(point.gradient * ended.step) / 2
    known = ~bent & ~ended.escaping & jnp.isfinite(decrement)
    gap = jnp.where(known, jnp.maximum(decrement, 0.0), jnp.inf)
    # The last step is taken unseen: so near the minimum Newton's leads to the floor of rounding.
    last = ended.settled & jnp.all(jnp.isfinite(ended.step)) & ~ended.again
    coefficients = point.coefficients + jnp.where(last, ended.step, 0.0)
    return Outcome(design.decode(coefficients), gap, ended.iterations, code)
