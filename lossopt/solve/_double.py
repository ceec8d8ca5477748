"""Sums and products carried in twice the working precision, as unevaluated pairs high + low.

XLA may fuse a product and a sum into one rounding, which breaks the classical two-product. Here every product is of
halves short enough to be exact, so that fused or not the result is the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._blocks import walk


# Numbers that are added to as many others at a time.
_SIDE_BY_SIDE = 2**11


class Pair(NamedTuple):
    """The number high + low, |low| at most half a unit in the last place of high."""

    high: Float[Array, "..."]
    low: Float[Array, "..."]


def two_sum(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """a + b exactly (Knuth 1969)."""
    total = a + b
    b_rounded = total - a
    return Pair(total, (a - (total - b_rounded)) + (b - b_rounded))


def product(a: Float[Array, "..."], b: Float[Array, "..."]) -> Pair:
    """a b, to twice the precision (Dekker 1971, with the halves cut by a mask)."""
    a, b = jnp.broadcast_arrays(a, b)
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    middle, lost_middle = two_sum(a_high * b_low, a_low * b_high)
    high, lost_high = two_sum(a_high * b_high, middle)
    return two_sum(high, lost_high + (lost_middle + a_low * b_low))


def add(a: Pair, b: Pair) -> Pair:
    """a + b, with a relative error of a few squared units of rounding where signs agree."""
    high, lost = two_sum(a.high, b.high)
    return two_sum(high, lost + (a.low + b.low))


def times(a: Pair, b: Float[Array, "..."]) -> Pair:
    """a b for a plain number b."""
    whole = product(a.high, b)
    return two_sum(whole.high, whole.low + a.low * b)


def total(a: Pair, axis: int) -> Pair:
    """The sum along one axis."""
    zero = jnp.zeros((), a.high.dtype)
    high, low = jax.lax.reduce((a.high, a.low), (zero, zero), lambda x, y: tuple(add(Pair(*x), Pair(*y))), (axis,))
    return Pair(high, low)


def weighted_sums(table: Float[Array, "n m"], weights: Pair) -> Pair:
    """Σ weights_i table_i, as rows that `total` adds up: a sum that waits for the last takes many times as long."""
    n, m = table.shape
    rows = min(max(_SIDE_BY_SIDE // m, 1), n)

    def add_rows(start: Array, fresh: Array, so_far: Pair) -> Pair:
        part, high, low = (jax.lax.dynamic_slice_in_dim(each, start, rows) for each in (table, *weights))
        high, low = (jnp.where(fresh, each, 0.0)[:, None] for each in (high, low))
        # As in `product`, but what is lost is summed apart, and no pair is made before the end.
        (a_high, a_low), (b_high, b_low) = _halves(part), _halves(high)
        whole, lost = two_sum(so_far.high, a_high * b_high)
        whole, lost_left = two_sum(whole, a_high * b_low)
        whole, lost_right = two_sum(whole, a_low * b_high)
        little = a_low * b_low + part * low
        return Pair(whole, so_far.low + (lost + (lost_left + (lost_right + little))))

    nothing = jnp.zeros((rows, m), table.dtype)
    return walk(add_rows, rows, n, Pair(nothing, nothing))


def _halves(x: Array) -> Pair:
    # 53 bits are 26 + 27 and 24 are 12 + 12: no product of two halves needs more bits than there are, but low * low,
    # whose last bit is far below the pair's own.
    kind, dropped = (jnp.uint64, 27) if x.dtype.itemsize == 8 else (jnp.uint32, 12)
    bits = jax.lax.bitcast_convert_type(x, kind)
    high = jax.lax.bitcast_convert_type((bits >> dropped) << dropped, x.dtype)
    return Pair(high, x - high)
