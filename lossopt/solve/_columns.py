"""The columns of a block of examples, and their products with coefficients and with values of the examples."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._normal import gram, moments


class Columns(NamedTuple):
    """A table with a column of ones in front if there is a constant, which only a Gram matrix of classes forms.

    A score is a column of B', whose rows are the columns: products run along the examples.
    """

    table: Float[Array, "d n"]
    constant: bool

    @property
    def formed(self) -> Float[Array, "m n"]:
        """B."""
        return jnp.concatenate([jnp.ones_like(self.table[:1]), self.table]) if self.constant else self.table

    def scores(self, coefficients: Float[Array, "m *k"]) -> Float[Array, "*k n"]:
        """C' B."""
        if not self.constant:
            return coefficients.T @ self.table
        return coefficients[1:].T @ self.table + coefficients[0][..., None]

    def moments(self, values: Float[Array, "k n"]) -> Float[Array, "m k"]:
        """B values'."""
        found = moments(self.table, values)
        return jnp.concatenate([jnp.sum(values, axis=1)[None], found]) if self.constant else found

    def gram(self, weights: Float[Array, " n"]) -> Float[Array, "m m"]:
        """B diag(weights) B'."""
        squares = gram(self.table, weights)
        if not self.constant:
            return squares
        side = moments(self.table, weights[None])
        corner = jnp.sum(weights)[None, None]
        return jnp.block([[corner, side.T], [side, squares]])


def standardised(
    rows: Float[Array, "n d"], centre: Float[Array, " d"], size: Float[Array, " d"], constant: bool | int
) -> Columns:
    """Rows of a table, centred and divided by sizes, as columns."""
    # Transposed last, and only for the products to see: moving the numbers would take longer than they do.
    return Columns(((rows - centre[None]) * (1 / size)[None]).T, constant=bool(constant))
