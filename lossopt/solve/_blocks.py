"""Going through a table by blocks of rows, so that what is computed of a block is computed while it is in the cache."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


# Numbers in a block of rows: fewer make the products of a block slow, more leave the cache. In a table that is worth
# going through in blocks.
BLOCK, LARGE = 2**18, 2**21


class Fold(NamedTuple):
    """What a function of a block of examples gives: sums, to be added; numbers, of which the largest is wanted; an
    array with an entry for each example, to be kept."""

    sums: PyTree
    largest: PyTree = ()
    each: PyTree = ()


def by_blocks(fn: Callable[..., Fold], every: Array | int, *arrays: Array) -> Fold:
    """`fn(block of each array)` over one in `every` blocks of rows; the second array is the shares."""
    n, d = arrays[0].shape
    rows = min(n, max(BLOCK // d, 1))
    blocks = -(-n // rows)

    def of_block(index: Array) -> tuple[Array, Fold]:
        # The last block begins early enough to be whole; what it has in common with the one before counts once.
        start = jnp.minimum(index * rows, n - rows)
        first, share, *rest = (jax.lax.dynamic_slice_in_dim(array, start, rows) for array in arrays)
        share = jnp.where(start + jnp.arange(rows) >= index * rows, share, 0.0)
        return start, fn(first, share, *rest)

    def step(number: Array, total: Fold) -> Fold:
        start, found = of_block(number * every)
        put = lambda into, part: jax.lax.dynamic_update_slice_in_dim(into, part, start, 0)  # noqa: E731
        return Fold(
            jax.tree.map(jnp.add, total.sums, found.sums),
            jax.tree.map(jnp.maximum, total.largest, found.largest),
            jax.tree.map(put, total.each, found.each),
        )

    shapes = jax.eval_shape(of_block, jnp.zeros((), int))[1]
    nothing = Fold(
        jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes.sums),
        jax.tree.map(lambda leaf: jnp.full(leaf.shape, -jnp.inf, leaf.dtype), shapes.largest),
        jax.tree.map(lambda leaf: jnp.zeros((n, *leaf.shape[1:]), leaf.dtype), shapes.each),
    )
    count = jnp.where(jnp.asarray(every) > 0, -(-blocks // jnp.maximum(every, 1)), 0)
    return jax.lax.fori_loop(0, count, step, nothing)
