"""The training loop: one compiled scan over any optax optimiser, and a trace of every step.

step: State -> (State, Info); the Info of all steps, stacked, is the trace.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from ..status import Status


class State(NamedTuple):
    """What the next step needs."""

    params: PyTree
    opt_state: optax.OptState
    step_size: Float[Array, ""]
    evaluations: Int[Array, ""]
    order: Int[Array, " n"] | None


class Info(NamedTuple):
    """What the reader needs. Stacked over steps this is the trace, whose row t describes the parameters after t steps.

    Attributes:
        cost: objective at the parameters, on the batch of this step (all rows unless `batch_size` is given).
        grad_norm: Euclidean norm of its gradient.
        step_size: Euclidean length of the step that led here, 0 in row 0.
        evaluations: gradients computed so far, those of a line search included.
        params: the parameters, if asked for, else None.
    """

    cost: Float[Array, "*steps"]
    grad_norm: Float[Array, "*steps"]
    step_size: Float[Array, "*steps"]
    evaluations: Int[Array, "*steps"]
    params: PyTree | None = None


class Fit(NamedTuple):
    """What training returns: the parameters after the last step, the trace of `num_steps + 1` rows, the outcome."""

    params: PyTree
    trace: Info
    status: Status


class Loop(NamedTuple):
    """What a programme of the loop is compiled for.

    `arrange` is done to the data once, before the first step, if every step sees all of them.
    """

    optimizer: optax.GradientTransformation
    batch_size: int | None
    keep_params: bool
    arrange: Callable[[PyTree], PyTree] | None = None


@functools.partial(jax.jit, static_argnames=("loop", "num_steps"))
def train(objective, params, data, key, tolerance, *, loop, num_steps) -> Fit:
    """All steps at once, from the parameters that are given."""
    # One iteration more than steps: the last evaluates the final parameters, and its own update is dropped.
    start = begin(params, data, loop=loop)
    (_, final), trace = advance(objective, start, params, data, key, 0, loop=loop, steps=num_steps + 1)
    return Fit(final, trace, Status(outcome(trace, final, tolerance)))


@functools.partial(jax.jit, static_argnames="loop")
def begin(params, data, *, loop) -> State:
    """The state before the first step."""
    dtype = jax.eval_shape(lambda: optax.tree.norm(params)).dtype
    order = None if loop.batch_size is None else jnp.arange(jax.tree.leaves(data)[0].shape[0])
    optimizer = optax.with_extra_args_support(loop.optimizer)
    return State(params, optimizer.init(params), jnp.zeros((), dtype), jnp.ones((), int), order)


@functools.partial(jax.jit, static_argnames=("loop", "steps"))
def advance(objective, state, last, data, key, first, *, loop, steps) -> tuple[tuple[State, PyTree], Info]:
    """Some steps from number `first` on: the state after them, the parameters before the last, and the trace."""
    optimizer = optax.with_extra_args_support(loop.optimizer)
    if loop.arrange is not None and loop.batch_size is None:
        data = loop.arrange(data)

    def step(state: State, t: Array) -> tuple[State, Info]:
        order, batch = _draw(data, state.order, key, t, loop.batch_size)
        value_of = lambda p: _one_number(objective(p) if data is None else objective(p, batch))  # noqa: E731
        value, grads = jax.value_and_grad(value_of)(state.params)
        with _optax_promotion():
            updates, opt_state = optimizer.update(
                grads, state.opt_state, state.params, value=value, grad=grads, value_fn=value_of
            )
        kept = state.params if loop.keep_params else None
        info = Info(value, optax.tree.norm(grads), state.step_size, state.evaluations, kept)
        params, size = optax.apply_updates(state.params, updates), optax.tree.norm(updates)
        evaluations = state.evaluations + 1 + _line_search_evaluations(opt_state)
        return State(params, opt_state, size, evaluations, order), info

    def body(carry: tuple[State, PyTree], t: Array) -> tuple[tuple[State, PyTree], Info]:
        after, info = step(carry[0], t)
        return (after, carry[0].params), info

    return jax.lax.scan(body, (state, last), first + jnp.arange(steps))


def _one_number(value: Any) -> Array:
    if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        found = f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
        raise ValueError(f"The objective gives {found}, not one real number: reduce it, by jnp.mean, say.")
    return jnp.asarray(value)


@contextlib.contextmanager
def _optax_promotion() -> Iterator[None]:
    # optax relies on JAX's standard promotion (Adam's bias correction is float ** int32); a caller may be strict.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def outcome(trace: Info, params: PyTree, tolerance: Array) -> Int[Array, ""]:
    """The code of the status that a trace and the parameters at its end say."""
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((params, trace.cost, trace.grad_norm))]
    costs, slopes = trace.cost, trace.grad_norm
    # From a minimum no step leads further than rounding, and the slope is nothing beside cost and parameters: a step
    # size that is too small does the first, but not the second.
    numbers = optax.tree.norm(params), jnp.max(trace.step_size), jnp.abs(costs[-1])
    eps, (size, longest, cost) = float(jnp.finfo(slopes.dtype).eps), (number.astype(slopes.dtype) for number in numbers)
    stayed = longest <= 8 * eps * size
    level = stayed & (longest > 0) & (slopes[-1] * size <= eps**0.5 * cost)
    # Beside a perfect fit it is not; but there the slope would take all of the cost away within such a step.
    fitted = stayed & (costs[-1] > 0) & (cost <= 8 * eps * slopes[-1] * size)
    # Beyond what rounding and the noise of mini-batches do near a minimum.
    grew = (costs[-1] - costs[0] > 1e-3 * jnp.abs(costs[0])) & ~fitted
    converged = (level | fitted | (slopes[-1] <= tolerance * jnp.max(slopes))) & ~grew
    exploded = (grew & (slopes[-1] > 2 * slopes[0])) | ~jnp.all(jnp.stack(finite))
    return jnp.where(exploded, Status.DIVERGED, jnp.where(converged, Status.CONVERGED, Status.OUT_OF_STEPS))


def _line_search_evaluations(opt_state: optax.OptState) -> Array | int:
    # optax's zoom line search counts its own evaluations of value and gradient.
    counts = optax.tree.get_all_with_path(opt_state, "num_linesearch_steps")
    return sum(count for _, count in counts) if counts else 0


def _draw(
    data: PyTree, order: Array | None, key: PRNGKeyArray | None, t: Array, batch_size: int | None
) -> tuple[Array | None, PyTree]:
    """The order of the rows in this epoch, and the batch of step t; None and all the data without mini-batches."""
    if order is None or key is None or batch_size is None:
        return order, data
    batches, kept = order.size // batch_size, order
    epoch_key = jax.random.fold_in(key, t // batches)
    order = jax.lax.cond(t % batches == 0, lambda: jax.random.permutation(epoch_key, kept.size), lambda: kept)
    rows = jax.lax.dynamic_slice(order, ((t % batches) * batch_size,), (batch_size,))
    return order, jax.tree.map(lambda leaf: leaf[rows], data)
