"""The columns of a table: their extents, and the products of a block with coefficients and values of its examples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._blocks import by_blocks, Fold, PARTS, Rows, rows_of
from ._normal import gram, moments


class Columns(NamedTuple):
    """A table with a column of ones in front if there is a constant, which only a Gram matrix of classes forms.

    A score is a column of B', whose rows are the columns: products run along the examples. `by_row`: memory has the
    transpose.
    """

    table: Float[Array, "d n"]
    constant: bool = False
    by_row: bool = False

    @property
    def formed(self) -> Float[Array, "m n"]:
        """B."""
        return jnp.concatenate([jnp.ones_like(self.table[:1]), self.table]) if self.constant else self.table

    @property
    def absolute(self) -> "Columns":
        """|B|."""
        return self._replace(table=jnp.abs(self.table))

    @property
    def parts(self) -> Float[Array, "p q d"]:
        """The rows as they lie in memory, in parts."""
        return _parts(self.table.T)

    def scores(self, coefficients: Float[Array, " m *k"]) -> Float[Array, "*k n"]:
        """C' B."""
        if not self.constant:
            return self._scores(coefficients)
        return self._scores(coefficients[1:]) + coefficients[0][..., None]

    def moments(self, values: Float[Array, "k n"]) -> Float[Array, "m k"]:
        """B values'."""
        found = self._moments(values)
        return jnp.concatenate([jnp.sum(values, axis=1)[None], found]) if self.constant else found

    def gram(self, weights: Float[Array, " n"]) -> Float[Array, "m m"]:
        """B diag(weights) B'."""
        squares = self._squares(weights) if self.by_row else gram(self.table, weights)
        if not self.constant:
            return squares
        side = self._moments(weights[None])
        corner = jnp.sum(weights)[None, None]
        return jnp.block([[corner, side.T], [side, squares]])

    def _scores(self, coefficients: Array) -> Array:
        if not self.by_row or coefficients.size > len(coefficients):
            # One product for several scores, or one whose columns lie in memory, is well divided already.
            return coefficients.T @ self.table
        rows = self.parts
        by_part = jnp.einsum("pnd,pd...->pn...", rows, jnp.broadcast_to(coefficients, (len(rows), *coefficients.shape)))
        return by_part.reshape(self.table.shape[1], *coefficients.shape[1:]).T

    def _moments(self, values: Array) -> Array:
        if not self.by_row:
            return moments(self.table, values)
        if len(values) > 1:
            # Else the transpose becomes part of the product, which then takes twice as long.
            return jax.lax.optimization_barrier(values @ self.table.T).T
        return self._by_parts("apn", values.reshape(len(values), len(self.parts), -1)).T

    def _squares(self, weights: Array) -> Array:
        return self._by_parts("pna", weights.reshape(len(self.parts), -1, 1) * self.parts)

    def _by_parts(self, axes: str, values: Array) -> Array:
        """Values B', summed by parts of the examples."""
        return jnp.sum(jnp.einsum(f"{axes},pnd->pad", values, self.parts), axis=0)


def standardised(
    rows: Float[Array, "n d"], centre: Float[Array, " d"], size: Float[Array, " d"], constant: bool | int
) -> Columns:
    """Rows of a table, centred and divided by sizes, as columns."""
    return of_parts((_parts(rows) - centre[None, None]) * (1 / size)[None, None], bool(constant))


def of_parts(parts: Float[Array, "p q d"], constant: bool) -> Columns:
    """The columns whose rows lie in memory."""
    # Transposed last, and only for the products to see: moving the numbers would take longer than they do.
    return Columns(parts.reshape(-1, parts.shape[2]).T, constant, by_row=True)


def _parts(rows: Array) -> Array:
    """The examples in parts, which are multiplied side by side: XLA gives each product to one thread."""
    return rows.reshape(PARTS if len(rows) % PARTS == 0 else 1, -1, rows.shape[1])


def extents(features: Rows, share: Array, intercept: bool, every: Array | int = 1) -> tuple[Array, Array]:
    """The mean of each column, 0 without an intercept, and its largest distance from there, or a bit more.

    Of one in `every` blocks.
    """
    # From a row that counts, so that a constant column is centred to exactly zero.
    reference = rows_of(features, jnp.argmax(share), 1)[0].astype(share.dtype)

    def extent(rows: Array, share: Array) -> Fold:
        apart = rows - reference[None]
        return Fold((share @ apart, jnp.sum(share)), jnp.abs(apart).max(axis=0))

    (total, part), largest, _ = by_blocks(extent, every, features, share)
    if not intercept:
        return jnp.zeros_like(reference), largest + jnp.abs(reference)
    return reference + total / positive(part), largest


def largest_of(table: Float[Array, "d n"], share: Float[Array, " n"]) -> Float[Array, " d"]:
    """Of each column the largest root of a term of its mean square."""
    return jnp.max(jnp.sqrt(share)[None] * jnp.abs(table), axis=1)


def leverage(
    largest: Array, square: Array, mean: Array, part: Array, share: Array, intercept: bool
) -> Float[Array, " d"]:
    """About the largest leverage of an example in each column, of which examples of a share `part` have a mean and a
    mean square."""
    constant = jnp.max(share) / positive(part) if intercept else jnp.zeros_like(part)
    # The one that is far out has moved the mean towards itself.
    apart = largest / jnp.sqrt(positive(part)) - jnp.sqrt(constant) * jnp.abs(mean)
    return apart**2 / positive(square - mean**2) + constant


def positive(values: Array) -> Array:
    """With 1 for 0, and of which the reciprocal is finite."""
    return jnp.where(values > 0, jnp.maximum(values, jnp.finfo(values.dtype).tiny), 1.0)


def power_of_two(values: Array) -> Array:
    """One next to each of some positive values, by which to multiply and divide is exact."""
    info = jnp.finfo(values.dtype)
    whole = jnp.dtype(f"int{info.bits}")
    # A number without its mantissa; `frexp` and `ldexp` are forty operations.
    bits = jax.lax.bitcast_convert_type(jnp.maximum(values, info.tiny), whole)
    return jax.lax.bitcast_convert_type(bits & jnp.array(-1 << info.nmant, whole), values.dtype)
