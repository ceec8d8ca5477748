"""How a table is kept while every step goes through all of it.

By column, products run along the examples. Of a loss a r²/2 the examples themselves need not be kept: with the rows
√s_i (x_i, 1, y_i) of A = QR, the cost of weights w and a bias b is a |A v|²/2 = a |R v|²/2, where v = (w, b, -1), and
so are its derivatives. The triangle R has as many rows as there are columns in A, and each is an example: R's scores
beside R's targets under the same loss. Householder's reflections lose no more than rounding does in A itself (Golub and
Van Loan 2013, section 5.2), where X'X would square what is lost.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses, models
from ..data import Dataset, traced
from ..reductions import mean, Reduction, root_mean, total


# Numbers in a table up to which a copy of it, by column, is made for the time that a fit takes.
_COPIED = 2**27
# A triangle is worth finding for as many steps, and of as many rows for each of its own.
_STEPS, _ROWS = 100, 8
# About so many numbers of a table are made part of the triangle together.
_BLOCK = 2**16


class ByColumn(NamedTuple):
    """A data set whose features have their columns one after the other in memory."""

    columns: Float[Array, "d n"]
    targets: Array
    weights: Array | None

    def scores(self, model: models.Model, params: models.Params) -> Float[Array, " n *k"]:
        """Of all examples."""
        return jax.vmap(model.predict, in_axes=(None, 1))(params, self.columns)


class Triangle(NamedTuple):
    """As many examples as there are columns, which a quadratic loss cannot tell from all.

    `constant` is what the bias is multiplied with in each. Their mean is that of all examples, and their weights have
    the same sum.
    """

    features: Float[Array, "r d"]
    constant: Float[Array, " r"]
    targets: Float[Array, " r"]
    weights: Float[Array, " r"]

    def scores(self, model: models.Model, params: models.Params) -> Float[Array, " r"]:
        """Of all rows."""
        found = self.features @ params.weights
        return found if params.bias is None else found + self.constant * params.bias


Arranged = Dataset | ByColumn | Triangle


def scores(model: models.Model, params: models.Params, data: Arranged) -> Float[Array, " n *k"]:
    """The model's raw scores of all examples."""
    if isinstance(data, ByColumn | Triangle):
        return data.scores(model, params)
    return jax.vmap(model.predict, in_axes=(None, 0))(params, data.features)


def arrangement(
    loss: losses.Loss, data: Dataset, reduction: Reduction, num_steps: int
) -> Callable[[Dataset], Arranged]:
    """What to do to a data set before the first of so many steps."""
    rows, columns = data.features.shape
    long = rows >= _ROWS * (columns + 2) and num_steps >= _STEPS
    quadratic = losses.constant_curvature(loss) is not None and losses.claims(loss).of_residual
    if not (long and quadratic and reduction in (mean, total, root_mean)) or traced(data):
        return by_column
    dtypes = {leaf.dtype for leaf in data if leaf is not None}
    alone = all(len(leaf.devices()) == 1 for leaf in data if leaf is not None)
    return triangle if alone and dtypes in ({jnp.dtype("float32")}, {jnp.dtype("float64")}) else by_column


def by_column(data: Dataset) -> Dataset | ByColumn:
    """The table by column, unless it is so large that no copy should be made."""
    if data.features.size > _COPIED:
        return data
    # Without the barrier XLA takes the transpose for another name of the table.
    return ByColumn(jax.lax.optimization_barrier(data.features.T), data.targets, data.weights)


def triangle(data: Dataset) -> Triangle:
    """The triangle of a table, a block of rows after the other."""
    n, width = data.features.shape[0], data.features.shape[1] + 2
    weights = jnp.ones_like(data.targets) if data.weights is None else data.weights
    mass = jnp.sum(weights)
    share = jnp.sqrt(width * (weights / mass))
    rows = min(n, max(_BLOCK // width, 4 * width))

    def add(block: Array, found: Array) -> Array:
        start = jnp.minimum(block * rows, n - rows)
        features, targets, each = (
            jax.lax.dynamic_slice_in_dim(array, start, rows) for array in (data.features, data.targets, share)
        )
        # The last block begins early enough to be whole.
        each = jnp.where(start + jnp.arange(rows) >= block * rows, each, 0.0)[:, None]
        part = each * jnp.concatenate([features, jnp.ones_like(each), targets[:, None]], axis=1)
        return jnp.linalg.qr(jnp.concatenate([found, part]), mode="r")

    found = jax.lax.fori_loop(0, -(-n // rows), add, jnp.zeros((width, width), share.dtype))
    return Triangle(found[:, :-2], found[:, -2], found[:, -1], jnp.full(width, mass / width))
