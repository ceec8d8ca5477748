"""L-BFGS for smooth losses whose Hessian would be too large: many columns, or many classes.

In the orthonormal basis of the design the Hessian is as well conditioned as the curvatures of the loss, whatever the
columns are, so that the limited-memory quasi-Newton method (Nocedal and Wright 2006, algorithm 7.4; the memory is
optax's) needs some tens of gradients where it would need thousands in the columns themselves, and its first trial step
mostly succeeds: a step that does not lower the cost is only made shorter. A gradient is one pass over the examples,
with the cost as a by-product.

There is no bound on suboptimality: half the squared gradient over the least curvature would be one, if that were known.
The gap is that with the curvature along the last step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from .. import losses
from ..status import Status
from ._blocks import Fold
from ._design import Design
from ._outcome import Outcome
from ._traits import Traits
from .separation import falls_for_ever


# Pairs of steps and changes of the gradient that are remembered.
_MEMORY = 20
# How much shorter a step is made that did not lower the cost; so many in a row end the search.
_SHORTER, _PATIENCE = 4.0, 12


class _Value(NamedTuple):
    """The cost, the size of its rounding errors, its gradient, and the mean squares of slopes and scores."""

    cost: Float[Array, ""]
    rounding: Float[Array, ""]
    gradient: Float[Array, "m k"]
    steep: Float[Array, ""]
    wide: Float[Array, ""]


class _State(NamedTuple):
    coefficients: Float[Array, "m k"]
    value: _Value
    step: Float[Array, "m k"]
    remembered: PyTree
    bend: Float[Array, ""]
    error: Float[Array, ""]
    failures: Int[Array, ""]
    iterations: Int[Array, ""]


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
    memory = optax.scale_by_lbfgs(memory_size=_MEMORY)

    def direction(value: _Value, remembered: PyTree, coefficients: Array) -> tuple[Array, PyTree]:
        # optax computes with Python numbers, for which it needs JAX's standard promotion.
        with jax.numpy_dtype_promotion("standard"):
            along, remembered = memory.update(value.gradient, remembered, coefficients)
        return -along, remembered

    def iterate(state: _State) -> _State:
        coefficients = state.coefficients + state.step
        value = _value(loss, design, targets, coefficients)
        promised = jnp.sum(state.value.gradient * state.step)
        turned = jnp.sum(value.gradient * state.step) <= -0.8 * promised
        level = value.cost <= state.value.cost + value.rounding
        success = (value.cost <= state.value.cost + 1e-4 * promised) | (level & turned)
        step, remembered = direction(value, state.remembered, coefficients)
        length = jnp.sum(state.step**2)
        along = jnp.sum((value.gradient - state.value.gradient) * state.step)
        bend = jnp.where(length > 0, along / jnp.where(length > 0, length, 1.0), 0.0)
        # What the rounding of a score does to the slope cannot be converged away, as in a perfect fit.
        scale = jnp.sqrt(value.steep + (8 * jnp.finfo(bend.dtype).eps / tolerance * bend) ** 2 * value.wide)
        error = jnp.where(scale > 0, jnp.linalg.norm(value.gradient) / jnp.where(scale > 0, scale, 1.0), 0.0)
        none, count = jnp.zeros_like(state.failures), state.iterations + 1
        tried = _State(coefficients, value, step, remembered, bend, error, none, count)
        failed = state._replace(step=state.step / _SHORTER, failures=state.failures + 1, iterations=count)
        return jax.tree.map(lambda new, old: jnp.where(success, new, old), tried, failed)

    def unfinished(state: _State) -> Array:
        going = (state.iterations < max_iterations) & (state.failures < _PATIENCE)
        return going & (state.error > tolerance)

    # An infinite cost and a step of zero make the first iteration evaluate the start, so that it is compiled once.
    nothing, zero = jnp.zeros_like(start), jnp.zeros((), start.dtype)
    value = _Value(zero + jnp.inf, zero, nothing, zero, zero)
    first = _State(start, value, nothing, memory.init(start), zero, zero + jnp.inf, jnp.array(0), jnp.array(0))
    ended = jax.lax.while_loop(unfinished, iterate, first)
    settled, escaping = ended.error <= tolerance, jnp.array(False)
    if traits.vanishing:
        # Far out on separable data the coefficients themselves are nearly a direction that separates.
        escaping = falls_for_ever(loss, design, targets, ended.coefficients, ~settled)
    code = _code(design, ended, settled, escaping, traits)
    return Outcome(design.decode(ended.coefficients), _gap(ended, traits), ended.iterations, code)


def _value(loss: losses.Loss, design: Design, targets: Array, coefficients: Array) -> _Value:
    inner, eps = design.inner(coefficients), jnp.finfo(coefficients.dtype).eps

    def of_block(basis: Array, share: Array, targets: Array) -> Fold:
        scores = inner.T @ basis
        values, slopes = jax.vmap(jax.value_and_grad(loss), in_axes=(1, 0), out_axes=(0, 1))(scores, targets)
        values, slopes = jax.lax.optimization_barrier((values, slopes))
        size = jnp.abs(values) + jnp.sum(jnp.abs(slopes * scores), axis=0)
        numbers = jnp.stack([values, size, jnp.sum(slopes**2, axis=0), jnp.sum(scores**2, axis=0)]) @ share
        return Fold((numbers, basis @ (share[None] * slopes).T))

    (value, size, steep, wide), gradient = design.fold(of_block, targets).sums
    shrunk = design.penalty @ coefficients
    penalised = jnp.sum(shrunk**2)
    return _Value(
        cost=value + penalised / 2,
        rounding=8 * eps * (size + penalised / 2),
        gradient=design.outer(gradient) + design.penalty.T @ shrunk,
        steep=steep + penalised,
        wide=wide,
    )


def _gap(ended: _State, traits: Traits) -> Array:
    known = (ended.bend > 0) & bool(traits.convex)
    return jnp.where(known, jnp.sum(ended.value.gradient**2) / (2 * jnp.where(known, ended.bend, 1.0)), jnp.inf)


def _code(design: Design, ended: _State, settled: Bool[Array, ""], escaping: Bool[Array, ""], traits: Traits) -> Array:
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    found = found if traits.convex else jnp.full_like(found, Status.LOCAL_MINIMUM)
    short = jnp.where(ended.failures >= _PATIENCE, Status.STALLED, Status.OUT_OF_STEPS)
    code = jnp.where(settled, found, short)
    code = jnp.where(escaping, Status.NO_FINITE_MINIMISER, code)
    return jnp.where(jnp.isfinite(ended.value.cost), code, Status.DIVERGED)
