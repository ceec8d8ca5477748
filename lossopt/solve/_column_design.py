"""The columns of a table as the basis: for penalties that are not the same in another."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._blocks import by_blocks, Fold, Rows, sample_first
from ._columns import extents, largest_of, leverage, positive, standardised
from ._design import Design, finish, SAMPLED
from ._factor import from_triangle, Triangle


def column_design(
    features: Rows,
    share: Float[Array, "*n"],
    l2: Float[Array, ""],
    intercept: bool,
    *,
    blocks: bool,
    sampled: bool,
) -> Design:
    """The columns themselves as a basis: centred, if there is an intercept, and of length one, but not orthogonal.

    `sampled` takes centre and length of a large table from a sample in which every column has one.
    """

    def look(every: Array) -> tuple[Array, Array, Array]:
        centre, extent = extents(features, share, intercept, every)
        extent = positive(extent)

        def squares(rows: Array, share: Array) -> Fold:
            columns = (rows - centre[None]) / extent[None]
            return Fold((share @ columns**2, jnp.sum(share)), largest_of(columns.T, share))

        (square, part), largest, _ = by_blocks(squares, every, features, share)
        square = square / positive(part)
        most = leverage(largest, square, jnp.zeros_like(square), part, share, intercept)
        return centre, extent * jnp.sqrt(square), most

    zeros = jnp.zeros(features.shape[1], share.dtype)
    first = SAMPLED if sampled else 1
    centre, size, most = sample_first(look, lambda found: jnp.all(found[1] > 0), first, (zeros, zeros, zeros))
    size = positive(size)
    eye = jnp.eye(int(intercept) + size.size, dtype=size.dtype)
    formed, no = None, jnp.array(False)
    if not blocks:
        formed = jnp.where(share[None] > 0, standardised(features, centre, size, intercept).formed, 0.0)
    factor = from_triangle(Triangle(eye, eye, size[0]), size, intercept, formed)
    in_blocks = {"change": eye, "most": most} if blocks else {"change": None}
    return finish(features, share, l2, intercept, centre, size, factor, suspect=no, **in_blocks)
