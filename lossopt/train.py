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

from . import border, losses, models
from .cost import cost
from .data import Dataset
from .reductions import mean, Reduction
from .status import Status


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


ADAM = optax.adam(1e-1)


def fit(
    loss: losses.Loss,
    data: Dataset,
    *,
    model: models.Model = models.linear,
    optimizer: optax.GradientTransformation = ADAM,
    num_steps: int = 500,
    batch_size: int | None = None,
    key: PRNGKeyArray | None = None,
    l2: losses.Scalar = 0.0,
    reduction: Reduction = mean,
    init: models.Params | None = None,
    tolerance: float = 1e-4,
    keep_params: bool = False,
    throw: bool = False,
) -> Fit:
    """Train a model under a loss: minimise `reduction(loss) + l2/2 |weights|**2` (the bias is not penalised).

    Compiled once per shape, model, optimizer and number of steps: pass hyperparameters with `lossopt.bind`, and build
    each optimizer once. May be jitted, and vmapped over data sets, keys, `l2`, `init` and bound hyperparameters.

    Args:
        loss: a loss of one example, registered or your own.
        data: features (n, d), targets (n,), optional weights (n,).
        model: what maps features to a score; zero coefficients are the start unless `init` is given.
        optimizer: any optax optimiser, line searches included.
        num_steps: updates made; the trace has one row more.
        batch_size: rows in a mini-batch, drawn without replacement and reshuffled every epoch (a last, smaller batch
            is left out); None takes all rows in every step.
        key: randomness for the mini-batches; needed with `batch_size`.
        l2: strength of the penalty on the weights, at least 0.
        reduction: how losses become one number.
        init: coefficients to start from.
        tolerance: the status is "converged" where the last gradient norm is at most this times the largest.
        keep_params: put the parameters of every step in the trace.
        throw: raise RuntimeError with the status's advice unless the status is good.

    Raises:
        ValueError, TypeError: bad input, in one sentence, before anything is compiled.
    """
    data = border.checked(loss, data, model)
    border.check_penalties(l2=l2)
    params = model.init(data.features.shape[1], data.features.dtype) if init is None else init
    bound = loss if isinstance(loss, jax.tree_util.Partial) else jax.tree_util.Partial(loss)
    objective = jax.tree_util.Partial(objective_of(model, reduction), loss=bound, l2=l2)
    return minimise(
        objective, params, data, optimizer=optimizer, num_steps=num_steps, batch_size=batch_size, key=key,
        tolerance=tolerance, keep_params=keep_params, throw=throw,
    )  # fmt: skip


@functools.cache
def objective_of(model: models.Model, reduction: Reduction = mean) -> Callable[..., Float[Array, ""]]:
    """The function `objective(params, data, *, loss, l2)` that `fit` minimises; the same for equal arguments."""

    def objective(params: models.Params, data: Dataset, *, loss: losses.Loss, l2: Any = 0.0) -> Float[Array, ""]:
        predictions = jax.vmap(model.predict, in_axes=(None, 0))(params, data.features)
        value = cost(loss, reduction)(predictions, data.targets, weights=data.weights)
        return value + 0.5 * jnp.asarray(l2, value.dtype) * jnp.sum(params.weights**2)

    return objective


def minimise(
    objective: Callable[..., Float[Array, ""]],
    params: PyTree,
    data: PyTree | None = None,
    *,
    optimizer: optax.GradientTransformation,
    num_steps: int,
    batch_size: int | None = None,
    key: PRNGKeyArray | None = None,
    tolerance: float = 1e-4,
    keep_params: bool = False,
    throw: bool = False,
) -> Fit:
    """The same loop for any pytree of parameters and any `objective(params, data) -> scalar`.

    `data` is any pytree whose leaves have the examples on their first axis, or None for `objective(params)`.
    The other arguments are those of `fit`.

    Raises:
        ValueError: a step count or batch size that is not positive, a batch larger than the data, a missing key.
    """
    rows = _rows(data)
    _check_loop(optimizer, num_steps, batch_size, key, rows)
    bound = objective if isinstance(objective, jax.tree_util.Partial) else jax.tree_util.Partial(objective)
    result = _minimise(
        bound, params, data, key, tolerance,
        optimizer=optimizer, num_steps=num_steps, batch_size=batch_size, keep_params=keep_params,
    )  # fmt: skip
    if throw:
        result.status.raise_if_bad()
    return result


@functools.partial(jax.jit, static_argnames=("optimizer", "num_steps", "batch_size", "keep_params"))
def _minimise(objective, params, data, key, tolerance, *, optimizer, num_steps, batch_size, keep_params):
    optimizer = optax.with_extra_args_support(optimizer)

    def step(state: State, t: Array) -> tuple[State, Info]:
        order, batch = _draw(data, state.order, key, t, batch_size)
        value_of = lambda p: objective(p) if data is None else objective(p, batch)  # noqa: E731
        value, grads = jax.value_and_grad(value_of)(state.params)
        with _optax_promotion():
            updates, opt_state = optimizer.update(
                grads, state.opt_state, state.params, value=value, grad=grads, value_fn=value_of
            )
        kept = state.params if keep_params else None
        info = Info(value, optax.tree.norm(grads), state.step_size, state.evaluations, kept)
        params, size = optax.apply_updates(state.params, updates), optax.tree.norm(updates)
        evaluations = state.evaluations + 1 + _line_search_evaluations(opt_state)
        return State(params, opt_state, size, evaluations, order), info

    def body(carry: tuple[State, PyTree], t: Array) -> tuple[tuple[State, PyTree], Info]:
        after, info = step(carry[0], t)
        return (after, carry[0].params), info

    dtype = jax.eval_shape(lambda: optax.tree.norm(params)).dtype
    order = None if batch_size is None else jnp.arange(_rows(data) or 0)
    start = State(params, optimizer.init(params), jnp.zeros((), dtype), jnp.ones((), int), order)
    # One iteration more than steps: the last evaluates the final parameters, and its own update is dropped.
    (_, final), trace = jax.lax.scan(body, (start, params), jnp.arange(num_steps + 1))
    return Fit(final, trace, Status(_outcome(trace, final, tolerance)))


@contextlib.contextmanager
def _optax_promotion() -> Iterator[None]:
    # optax relies on JAX's standard promotion (Adam's bias correction is float ** int32); a caller may be strict.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _outcome(trace: Info, params: PyTree, tolerance: Array) -> Int[Array, ""]:
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((params, trace.cost, trace.grad_norm))]
    costs, slopes = trace.cost, trace.grad_norm
    # Beyond what rounding and the noise of mini-batches do near a minimum.
    grew = costs[-1] - costs[0] > 1e-3 * jnp.abs(costs[0])
    converged = (slopes[-1] <= tolerance * jnp.max(slopes)) & ~grew
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


def _rows(data: PyTree | None) -> int | None:
    leaves = jax.tree.leaves(data)
    return leaves[0].shape[0] if leaves else None


def _check_loop(
    optimizer: Any, num_steps: int, batch_size: int | None, key: PRNGKeyArray | None, rows: int | None
) -> None:
    if not isinstance(optimizer, optax.GradientTransformation):
        given = getattr(optimizer, "__name__", repr(optimizer))
        raise TypeError(f"optimizer={given} is not an optax optimiser: call it, as in optax.adam(0.1).")
    if isinstance(num_steps, bool) or not isinstance(num_steps, int) or num_steps < 0:
        raise ValueError(f"num_steps={num_steps!r}: give a whole number of steps, at least 0.")
    if batch_size is None:
        return
    if rows is None or not isinstance(batch_size, int) or not 0 < batch_size <= rows:
        raise ValueError(f"batch_size={batch_size!r} with {rows} rows of data: give a whole number from 1 to {rows}.")
    if key is None:
        raise ValueError("Mini-batches are drawn at random: pass key=jax.random.key(0) with batch_size.")
