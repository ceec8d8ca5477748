"""Many runs of one function, and what they say together: a value with its uncertainty."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PyTree, Real, Shaped

from .. import losses


class Band(NamedTuple):
    """A value with its uncertainty."""

    centre: Float[Array, "*rest"]
    low: Float[Array, "*rest"]
    high: Float[Array, "*rest"]


def over_grid(fn: Callable[..., PyTree], *axes: Shaped[Array, "..."], batch_size: int = 16) -> PyTree:
    """`fn` at every combination of the values on the axes: leaf[i, j, ...] is of `fn(axes[0][i], axes[1][j])`.

    The calls run in batches small enough for the cache, which for iterative fits is faster than one large vmap: a
    batch stops when its own members are done.

    Raises:
        ValueError: an axis without values, or a batch size below 1.
    """
    shape = tuple(len(axis) for axis in axes)
    calls = math.prod(shape)
    if min(calls, batch_size) < 1:
        raise ValueError(
            f"axes of {shape} values in batches of batch_size={batch_size}: give each axis a value, and a size of at "
            "least 1."
        )
    batch_size = min(batch_size, calls)
    # A last, smaller batch would be compiled apart: the first calls are repeated to fill it, and dropped.
    filled = jnp.arange(-(-calls // batch_size) * batch_size) % calls
    results = jax.lax.map(
        lambda index: fn(*(axis[i] for axis, i in zip(axes, index, strict=True))),
        jnp.unravel_index(filled, shape),
        batch_size=batch_size,
    )
    return jax.tree.map(lambda leaf: leaf[:calls].reshape(*shape, *leaf.shape[1:]), results)


def spread_band(values: Real[ArrayLike, " seeds *rest"], *, level: float = 0.9) -> Band:
    """The median over the first axis, and the quantiles between which a share `level` of the values lies."""
    # The sum of whole numbers of few bits is another.
    (values,) = losses.floats(values)
    tail = (1 - level) / 2
    low, centre, high = jnp.quantile(values, jnp.asarray([tail, 0.5, 1 - tail], values.dtype), axis=0)
    return Band(centre, low, high)


def mean_band(values: Real[ArrayLike, " seeds *rest"]) -> Band:
    """The mean over the first axis, and its 95 % interval by the normal approximation: from about 30 seeds on."""
    # The sum of whole numbers of few bits is another.
    (values,) = losses.floats(values)
    centre = jnp.mean(values, axis=0)
    half = 1.96 * jnp.std(values, axis=0, ddof=1) / math.sqrt(values.shape[0])
    return Band(centre, centre - half, centre + half)
