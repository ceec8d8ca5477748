"""The examples as a method is given them: where the table lies, in which precision, and with what weights."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..data import Dataset, Stored, traced
from ..reductions import relative
from ._blocks import LARGE, Rows, rows_of, Weighted


def where_it_stays(data: Dataset) -> Dataset:
    """The data with a large memory-mapped table as a stored one."""
    features: Any = data.features if isinstance(data, Dataset) else None
    if not isinstance(features, np.memmap) or features.ndim != 2 or features.size < LARGE:
        return data
    table: Any = Stored(features)
    return data._replace(features=table)


def in_blocks(features: Array | Stored | jax.ShapeDtypeStruct, *, often: bool) -> bool:
    """Whether a table is large; not where its rows lie on several devices, each of which does its own at once.

    What is done `often` is worth compiling more for.
    """
    if isinstance(features, Stored):
        return True
    least = LARGE // 3 if often else LARGE
    # Of one that is only described nothing is known of devices.
    known = None if traced(features) else features.sharding
    return features.size >= least and (known is None or len(known.device_set) == 1)


def working_dtype(dtype: Any, own: Any) -> Any:
    """The dtype to compute in: the one asked for, else the features' own or one that there are factorisations in.

    Raises:
        ValueError: JAX is not set up for it, or it is none of real numbers.
    """
    if dtype is None:
        dtype = own if jnp.issubdtype(own, jnp.floating) else jnp.result_type(float)
    try:
        real = jnp.issubdtype(dtype, jnp.floating)
    except TypeError:
        real = False
    if not real:
        raise ValueError(f"dtype={dtype!r}: give a precision of real numbers, jnp.float32 or jnp.float64.")
    if jax.dtypes.canonicalize_dtype(dtype) != np.dtype(dtype):
        raise ValueError(f"dtype={np.dtype(dtype)}: first turn it on, by jax.config.update('jax_enable_x64', True).")
    # There is no factorisation in half precision.
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32


def cleaned(data: Dataset, dtype: Any, *, blocks: bool, labels: bool) -> tuple[Rows, Array, Array]:
    """Features, targets and shares that sum to one; an example of weight 0 becomes a copy of one that counts.

    Whole targets that may be `labels` stay whole; computed with, those of few bits would overflow.
    """
    features, share, counted = shared(data.features, data.weights, dtype, blocks=blocks)
    targets = data.targets
    if not labels or jnp.issubdtype(targets.dtype, jnp.floating):
        targets = targets.astype(dtype)
    return features, counted(targets), share


def shared(
    table: Rows, weights: Array | None, dtype: Any, *, blocks: bool
) -> tuple[Rows, Array, Callable[[Array], Array]]:
    """The features and shares of `cleaned`, and what makes copies of one that counts, in another array of examples.

    Features that are gone through in blocks are cleaned when a block is read: a copy would be as large. Without weights
    the share of each is then one number.
    """
    features = table if blocks else table.astype(dtype)
    if weights is None:
        n = features.shape[0]
        return features, jnp.full(() if blocks else n, 1 / n, dtype), lambda each: each
    weights = weights.astype(dtype)
    shares, kept, stand_in = relative(weights), weights > 0, jnp.argmax(weights)

    def counted(each: Array) -> Array:
        return jnp.where(kept.reshape(-1, *(1,) * (each.ndim - 1)), each, each[stand_in][None])

    share = jnp.where(kept, shares, 0.0) / jnp.sum(shares)
    if blocks:
        return Weighted(features, kept, rows_of(features, stand_in, 1)[0]), share, counted
    return counted(features), share, counted
