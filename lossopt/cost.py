"""From losses to one number. The only place that maps a loss over a batch, and the only mean.

loss: one example. reduction: how many losses become one number. cost = reduction of per-example losses.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float, Shaped

from . import losses
from .reductions import mean, Reduction, root_mean


def per_example(loss: losses.Loss) -> Callable[..., Float[Array, "*batch"]]:
    """The loss of every example of a batch: `per_example(loss)(predictions, targets) -> losses`.

    Predictions and targets must have one batch shape: `(n,)` and `(n,)`; for a loss of a vector `(n, k)` and
    `(n,)` or `(n, k)`. A registered loss may have several batch axes; any other runs over the first.

    Raises:
        TypeError: the loss is not a function that JAX can trace.
        ValueError: the shapes do not match, or the loss does not give one number an example.
    """
    losses.check_callable(loss)

    def batch_loss(predictions: Shaped[Array, "..."], targets: Shaped[Array, "..."]) -> Float[Array, "*batch"]:
        predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
        mapped = losses.one_number(loss)
        for _ in _batch_shape(loss, predictions, targets):
            mapped = jax.vmap(mapped)
        return mapped(predictions, targets)

    return batch_loss


def cost(loss: losses.Loss, reduction: Reduction = mean) -> Callable[..., Float[Array, ""]]:
    """The cost of a batch: `cost(loss, reduction)(predictions, targets, *, weights=None, where=None) -> scalar`.

    `weights` (one an example, at least 0) enter the reduction; an example of weight 0 or with `where=False`
    is left out of value and gradient, even where it holds NaN or an illegal target. With all left out the cost is 0.
    The slope in a weight of 0 is that of its example, under `mean`, `total` and `root_mean`.

    Raises:
        TypeError: the loss is not a function that JAX can trace, or the reduction not one of values and weights.
        ValueError: as `per_example`; the losses are not floats; weights or where are not of the batch's shape.
    """
    _check_reduction(reduction)
    losses_of = per_example(loss)

    def batch_cost(
        predictions: Shaped[Array, "..."],
        targets: Shaped[Array, "..."],
        *,
        weights: Float[Array, "*batch"] | None = None,
        where: Bool[Array, "*batch"] | None = None,
    ) -> Float[Array, ""]:
        predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
        keep = _kept(_batch_shape(loss, predictions, targets), weights, where)
        given = predictions, targets
        if keep is not None:
            predictions, targets = _stand_in(predictions, keep), _stand_in(targets, keep)
        values = losses_of(predictions, targets)
        losses.check_floating(loss, values)
        if keep is None:
            return reduction(values, jnp.ones_like(values))
        share = jnp.ones_like(values) if weights is None else jnp.asarray(weights, values.dtype)
        share, values = share if where is None else jnp.where(where, share, 0.0), jnp.where(keep, values, 0.0)
        if isinstance(weights, jax.core.Tracer):
            values = _also_of_weight_0(values, jax.lax.stop_gradient(losses_of(*jax.lax.stop_gradient(given))), share)
        return reduction(values, share)

    return batch_cost


def _check_reduction(reduction: Any) -> None:
    # The mean of an array library, and Python's own sum, take something else second.
    foreign = (getattr(reduction, "__module__", None) or "").split(".")[0] in ("jax", "numpy", "builtins")
    if not callable(reduction) or (foreign and not hasattr(reduction, "func")):
        raise TypeError(
            f"reduction={reduction!r} is not a function of (values, weights): pass lossopt.mean, .total or .root_mean."
        )


def weighted_sum(terms: Mapping[str, tuple[Any, Callable]], *, parts: bool = False) -> Callable[..., Any]:
    """Several costs as one: `weighted_sum({"price": (0.7, cost_a), "sold": (0.3, cost_b)})`.

    Call it with predictions and targets as mappings with the same names (several tasks), or with plain arrays that
    every cost is given (several losses of one task). Keyword arguments go to every cost, by name if they are mappings.
    With `parts=True` it returns `(sum, {name: cost})`, for `jax.value_and_grad(..., has_aux=True)`.

    Raises:
        ValueError: no terms; a name is missing or left over.
    """
    if not terms:
        raise ValueError("weighted_sum needs at least one term: {'name': (weight, cost)}.")

    def summed(predictions: Any, targets: Any, **options: Any) -> Any:
        given = {"predictions": predictions, "targets": targets} | options
        split = {what: _by_name(value, terms, what) for what, value in given.items()}
        values = {
            name: batch_cost(**{what: value[name] for what, value in split.items()})
            for name, (_, batch_cost) in terms.items()
        }
        result = sum(weight * values[name] for name, (weight, _) in terms.items())
        return (result, values) if parts else result

    return summed


def _by_name(value: Any, terms: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return dict.fromkeys(terms, value)
    if set(value) != set(terms):
        raise ValueError(
            f"The terms are called {sorted(terms)}, but the {what} are called {sorted(value)}: use the same names."
        )
    return value


def _batch_shape(loss: losses.Loss, predictions: Array, targets: Array) -> tuple[int, ...]:
    if losses.has_card(loss):
        card = losses.claims(loss)
        batch = predictions.shape[: predictions.ndim - card.prediction_ndim]
        other = targets.shape[: targets.ndim - card.target_ndim]
    else:
        batch, other = predictions.shape[:1], targets.shape[:1]
    if predictions.ndim == 0 or not batch or batch != other:
        raise ValueError(_mismatch(predictions.shape, targets.shape))
    return batch


def _mismatch(predictions: tuple[int, ...], targets: tuple[int, ...]) -> str:
    found = f"Predictions of shape {predictions} do not match targets of shape {targets}"
    if predictions == (*targets, 1):
        return f"{found}: a model that ends in one unit gives a last axis of 1; use predictions[..., 0]."
    if targets == (*predictions, 1):
        return f"{found}: a column was taken as a table; use targets[..., 0]."
    if not predictions or not targets:
        return f"{found}: a cost is of a batch; call the loss itself for one example."
    return f"{found}: give one prediction (for a multiclass loss, one vector of k scores) an example."


def _kept(batch: tuple[int, ...], weights: Array | None, where: Array | None) -> Array | None:
    for name, value in (("weights", weights), ("where", where)):
        if value is not None and jnp.shape(value) != batch:
            raise ValueError(
                f"{name} of shape {jnp.shape(value)} do not match a batch of shape {batch}: give one an example."
            )
    if weights is None:
        return None if where is None else jnp.asarray(where, bool)
    weighty = jnp.asarray(weights) != 0
    return weighty if where is None else weighty & jnp.asarray(where, bool)


def _stand_in(values: Array, keep: Array) -> Array:
    """The rows left out replaced by a copy of the first row kept, which is legal for any loss; by 0 if none is."""
    rows = keep.size
    if not rows:
        return values
    flat = values.reshape(rows, *values.shape[keep.ndim :])
    kept = keep.reshape(rows, *(1,) * (flat.ndim - 1))
    first = jnp.where(jnp.any(keep), flat[jnp.argmax(keep.reshape(rows))], jnp.zeros_like(flat[0]))
    return jnp.where(kept, flat, jax.lax.stop_gradient(first)).reshape(values.shape)


@jax.custom_jvp
def _also_of_weight_0(values: Array, given: Array, share: Array) -> Array:
    """The losses, 0 at a weight of 0; but those given there as well, if finite, where the weights are differentiated.

    Unless they are, `given` is not used, and XLA computes none of it.
    """
    return values


@functools.partial(_also_of_weight_0.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    (values, given, share), (slope, _, by_share) = primals, tangents
    if not isinstance(by_share, SymbolicZero):
        values = jnp.where((share == 0) & jnp.isfinite(given), given, values)
    return values, jnp.zeros_like(values) if isinstance(slope, SymbolicZero) else slope


mse = cost(losses.squared_error)
rmse = cost(losses.squared_error, root_mean)
mae = cost(losses.absolute_error)
