"""`fit`: a linear model under a loss; `minimise`: any parameters and any objective, by the same loop."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from .. import border, losses, models
from ..cost import cost
from ..data import Dataset
from ..mesh import automatic
from ..reductions import mean, Reduction
from ._arranged import Arranged, arranged, by_column, scores
from ._loop import Fit, Loop, train
from ._resume import in_parts


ADAM = optax.adam(1e-1)


@automatic
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
    resume: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
    throw: bool = False,
) -> Fit:
    """Train a model under a loss: minimise `reduction(loss) + l2/2 |weights|**2` (the bias is not penalised).

    Where every step takes all rows of a quadratic loss, it takes the triangle of the table for them, which has as many
    rows as there are coefficients, the same cost and the same gradient: a step costs as much for any number of rows.

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
        tolerance: at least 0; the status is "converged" where the last gradient norm is at most this times the largest,
            or where no step, from a start at a minimum, led further than rounding.
        keep_params: put the parameters of every step in the trace.
        resume: a folder to keep the state in. The same fit with the same folder goes on where it was stopped, with the
            same bits. Of several processes, all must see the folder.
        checkpoint_every: steps after which that is done.
        throw: raise RuntimeError with the status's advice unless the status is good.

    Raises:
        ValueError, TypeError: bad input, in one sentence, before anything is compiled; `resume` holds another fit.
        RuntimeError: with `resume`, another process was lost; the sentence says how to go on.
    """
    data = border.checked(loss, data, model)
    border.check_penalties(l2=l2)
    params, num_steps = border.check_init(init, data, model), border.whole("num_steps", num_steps, 0)
    bound = losses.as_pytree(loss)
    objective = jax.tree_util.Partial(objective_of(model, reduction), loss=bound, l2=l2)
    seen = arranged(loss, data, reduction, params, num_steps) if batch_size is None else data
    return _minimise(
        objective, params, data, seen, by_column, optimizer=optimizer, num_steps=num_steps, batch_size=batch_size,
        key=key, tolerance=tolerance, keep_params=keep_params, resume=resume, checkpoint_every=checkpoint_every,
        throw=throw,
    )  # fmt: skip


@functools.cache
def objective_of(model: models.Model, reduction: Reduction = mean) -> Callable[..., Float[Array, ""]]:
    """The function `objective(params, data, *, loss, l2)` that `fit` minimises; the same for equal arguments."""

    def objective(params: models.Params, data: Arranged, *, loss: losses.Loss, l2: Any = 0.0) -> Float[Array, ""]:
        value = cost(loss, reduction)(scores(model, params, data), data.targets, weights=data.weights)
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
    resume: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
    throw: bool = False,
) -> Fit:
    """The same loop for any pytree of parameters and any `objective(params, data) -> scalar`.

    `data` is any pytree whose leaves have the examples on their first axis, or None for `objective(params)`.
    The other arguments are those of `fit`.

    Raises:
        ValueError: a step count or batch size that is not positive, a batch larger than the data, a missing key, data
            of different lengths, parameters that are not real, an objective that is not one number.
    """
    num_steps = border.whole("num_steps", num_steps, 0)
    return _minimise(
        objective, params, data, data, None, optimizer=optimizer, num_steps=num_steps, batch_size=batch_size, key=key,
        tolerance=tolerance, keep_params=keep_params, resume=resume, checkpoint_every=checkpoint_every, throw=throw,
    )  # fmt: skip


def _minimise(
    objective, params, data, seen, arrange, *, optimizer, num_steps, batch_size, key, tolerance, keep_params, resume,
    checkpoint_every, throw,
) -> Fit:  # fmt: skip
    batch_size = _check_loop(optimizer, batch_size, key, data)
    _check_numbers(params, key, tolerance)
    bound = objective if isinstance(objective, jax.tree_util.Partial) else jax.tree_util.Partial(objective)
    loop = Loop(optimizer, batch_size, keep_params, arrange)
    given = (bound, params, seen, key)
    if resume is None:
        result = train(*given, tolerance, loop=loop, num_steps=num_steps)
    else:
        result = in_parts(*given, tolerance, loop, num_steps, resume, checkpoint_every, given=data)
    if throw:
        result.status.raise_if_bad()
    return result


def _check_loop(optimizer: Any, batch_size: int | None, key: PRNGKeyArray | None, data: PyTree | None) -> int | None:
    """The rows in a batch."""
    if not isinstance(optimizer, optax.GradientTransformation):
        given = getattr(optimizer, "__name__", repr(optimizer))
        wrapped = hasattr(optimizer, "gradient_transformation")
        remedy = "pass its gradient_transformation()" if wrapped else "call it, as in optax.adam(0.1)"
        raise TypeError(f"optimizer={given} is not an optax optimiser: {remedy}.")
    if batch_size is None:
        return None
    rows = _rows(data)
    if border.whole("batch_size", batch_size) > rows:
        raise ValueError(f"batch_size={batch_size!r} with {rows} rows of data: give a whole number from 1 to {rows}.")
    if key is None:
        raise ValueError("Mini-batches are drawn at random: pass key=jax.random.key(0) with batch_size.")
    return int(batch_size)


def _rows(data: PyTree | None) -> int:
    """How many examples there are to draw mini-batches from."""
    lengths = sorted({np.shape(leaf)[:1] for leaf in jax.tree.leaves(data)})
    if not lengths:
        raise ValueError("Mini-batches are drawn from data, of which there are none: leave batch_size out.")
    if len(lengths) > 1 or not lengths[0]:
        found = " and ".join(str(length[0]) if length else "none" for length in lengths)
        raise ValueError(f"The leaves of data have {found} rows: mini-batches need one number, the examples', in all.")
    return lengths[0][0]


def _check_numbers(params: PyTree, key: Any, tolerance: Any) -> None:
    for leaf in jax.tree.leaves(params):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
            raise ValueError(f"Parameters of {jnp.result_type(leaf)} have no gradient: give floats.")
        if jnp.issubdtype(jnp.result_type(leaf), jnp.complexfloating):
            raise ValueError(f"Parameters of {jnp.result_type(leaf)}: give their real and imaginary parts as floats.")
    if key is not None and not isinstance(key, jax.Array | np.ndarray):
        raise TypeError(f"key={key!r} is no source of randomness: pass jax.random.key(0), say.")
    if isinstance(tolerance, jax.core.Tracer):
        return
    if not np.issubdtype(np.asarray(tolerance).dtype, np.number) or np.ndim(tolerance) or not tolerance >= 0:
        raise ValueError(f"tolerance={tolerance!r}: give a number of at least 0.")
