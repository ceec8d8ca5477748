"""Going through a table by blocks of rows, so that what is computed of a block is computed while it is in the cache."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..compiling import on_cpu
from ..data import Stored


# Numbers in a block of rows, with what is computed of them: fewer make the products of a block slow, more leave the
# cache. In a table that is worth going through in blocks.
BLOCK, LARGE = 2**18, 2**21
# An accelerator takes longer to be told what to do than to do it with as little.
WIDE = 2**24
# By how many the rows of a block can be divided, if there are several blocks of some rows.
PARTS = 4


class Fold(NamedTuple):
    """What a function of a block of examples gives: sums, to be added; numbers, of which the largest is wanted; an
    array with an entry for each example, to be kept."""

    sums: PyTree
    largest: PyTree = ()
    each: PyTree = ()


class Weighted(NamedTuple):
    """A table of which some rows do not count and may hold anything: in their place `stand_in` is read."""

    table: Any
    counts: Bool[Array, " n"]
    stand_in: Float[Array, " d"]

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        return self.table.shape


# What rows are read from: an array (n, d), a table that is not in memory, or either with rows that do not count.
Rows = Any


def rows_of(table: Rows, start: Array, count: int) -> Float[Array, "count d"]:
    """`count` rows of a table."""
    if isinstance(table, Weighted):
        counts = jax.lax.dynamic_slice_in_dim(table.counts, start, count)
        return jnp.where(counts[:, None], rows_of(table.table, start, count), table.stand_in[None])
    return table.read(start, count) if isinstance(table, Stored) else jax.lax.dynamic_slice_in_dim(table, start, count)


def rows_at(table: Rows, places: Int[Array, " k"]) -> Float[Array, "k d"]:
    """The rows of a table at some places."""
    if isinstance(table, Weighted):
        return jnp.where(table.counts[places][:, None], rows_at(table.table, places), table.stand_in[None])
    return table.take(places) if isinstance(table, Stored) else table[places]


def place(block: Array, rows: int, n: int) -> tuple[Int[Array, ""], Bool[Array, " rows"]]:
    """Where a block of so many of n rows begins, early enough to be whole, and which of them were in none before."""
    start = jnp.minimum(block * rows, n - rows)
    return start, start + jnp.arange(rows) >= block * rows


def walk(
    step: Callable[[Int[Array, ""], Bool[Array, " rows"], PyTree], PyTree], rows: int, n: int, nothing: PyTree
) -> PyTree:
    """`step(start, fresh, so_far)` over blocks of so many of n rows, from `nothing`; start and fresh as of `place`."""
    return jax.lax.fori_loop(0, -(-n // rows), lambda block, so_far: step(*place(block, rows, n), so_far), nothing)


def by_parts(fn: Callable[..., PyTree], axes: tuple[int, ...], *arrays: Array) -> PyTree:
    """What `fn` makes of the examples on each device, along a first axis; `axes` are those of the examples.

    Examples that lie on several devices would first be brought to all, where they are gone through by the block.
    """
    parts = jax.device_count()
    if parts == 1 or arrays[0].shape[axes[0]] % parts:
        return jax.tree.map(lambda leaf: leaf[None], fn(*arrays))

    def split(array: Array, axis: int) -> Array:
        return array.reshape(*array.shape[:axis], parts, -1, *array.shape[axis + 1 :])

    return jax.vmap(fn, in_axes=axes)(*map(split, arrays, axes))


def by_blocks(
    fn: Callable[..., Fold],
    every: Array | int,
    table: Rows,
    share: Array,
    *arrays: Array,
    beside: int = 0,
    seldom: Array | None = None,
) -> Fold:
    """`fn(rows, share, *arrays)`, of a block of each, over one in `every` blocks of rows, in the shares' dtype.

    `share` may be one number, which all rows have.
    `beside`: about how many numbers it computes of each row, if they are not few beside the columns.
    `seldom`: where it is given, `fn` is told last whether the block is one in so many, none if that is 0.
    """
    n, rows = table.shape[0], _rows_in_block(table, beside)

    def of_block(index: Array) -> tuple[Array, Fold]:
        start, fresh = place(index, rows, n)
        part, *rest = (
            jax.lax.dynamic_slice_in_dim(array, start, rows) if array.ndim else array for array in (share, *arrays)
        )
        part = jnp.where(fresh, part, 0.0)
        if seldom is not None:
            rest.append((seldom > 0) & (jax.lax.rem(index, jnp.maximum(seldom, 1)) == 0))
        return start, fn(rows_of(table, start, rows).astype(share.dtype), part, *rest)

    # Traced once, to know the shapes and to run: of a large loss tracing is a fifth of the time to compile.
    traced, shapes = jax.make_jaxpr(of_block, return_shape=True)(jnp.zeros((), int))
    rebuilt = functools.partial(jax.tree.unflatten, jax.tree.structure(shapes))

    def step(number: Array, total: Fold) -> Fold:
        start, found = rebuilt(jaxpr_as_fun(traced)(number * every))
        return _with_block(total, start, found)

    blocks = -(-n // rows)
    count = jnp.where(jnp.asarray(every) > 0, -(-blocks // jnp.maximum(every, 1)), 0)
    return jax.lax.fori_loop(0, count, step, _of_no_block(shapes[1], n))


def _rows_in_block(table: Rows, beside: int) -> int:
    n, d = table.shape
    rows = max((BLOCK if on_cpu() else WIDE) // (d + beside), 1)
    return min(n, rows - rows % PARTS if rows > PARTS else rows)


def _with_block(total: Fold, start: Array, found: Fold) -> Fold:
    """What is known of some blocks, and of one more, which begins at `start`."""
    put = lambda into, part: jax.lax.dynamic_update_slice_in_dim(into, part, start, 0)  # noqa: E731
    return Fold(
        jax.tree.map(jnp.add, total.sums, found.sums),
        jax.tree.map(jnp.maximum, total.largest, found.largest),
        jax.tree.map(put, total.each, found.each),
    )


def _of_no_block(shapes: Fold, n: int) -> Fold:
    """What is known of n examples before any block, from the shapes of what is found in one."""
    sums, largest, each = shapes
    return Fold(
        jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), sums),
        # Not a minus infinity of that dtype: the one of bool is True.
        jax.tree.map(lambda leaf: jnp.full(leaf.shape, False if leaf.dtype == bool else -jnp.inf, leaf.dtype), largest),
        jax.tree.map(lambda leaf: jnp.zeros((n, *leaf.shape[1:]), leaf.dtype), each),
    )


def sample_first(
    look: Callable[[Array], PyTree], enough: Callable[[PyTree], Array], first: int, nothing: PyTree
) -> PyTree:
    """What `look` finds in one of `first` blocks or, where that is not enough, in all. It is compiled once.

    `look` is given how many blocks there are to one that it sees; `nothing` is shaped as what it finds, and not enough.
    """

    def again(last: tuple[Array, PyTree]) -> tuple[Array, PyTree]:
        every, _ = last
        return jnp.where(every > 1, 1, 0), look(every)

    def wanting(last: tuple[Array, PyTree]) -> Array:
        every, found = last
        return (every > 0) & ~enough(found)

    return jax.lax.while_loop(wanting, again, (jnp.array(first), nothing))[1]
