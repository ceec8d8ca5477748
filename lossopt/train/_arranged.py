"""How a table is kept while every step goes through all of it.

By column, products run along the examples. Of a loss a r²/2 the examples themselves need not be kept: with the rows
√s_i (x_i, 1, y_i) of A = QR, the cost of weights w and a bias b is a |A v|²/2 = a |R v|²/2, where v = (w, b, -1), and
so are its derivatives. The triangle R has as many rows as there are columns in A, and each is an example: R's scores
beside R's targets under the same loss. Householder's reflections lose no more than rounding does in A itself (Golub and
Van Loan 2013, section 5.2), where X'X would square what is lost.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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

    `rows` are features, what the bias is multiplied with, and what `origin` leaves of the targets. Their mean is that
    of all examples, and so is the sum of their weights, `mass`.
    """

    rows: Float[Array, "r r"]
    mass: Float[Array, ""]
    origin: models.Params

    @property
    def targets(self) -> Float[Array, " r"]:
        """The last column."""
        return self.rows[:, -1]

    @property
    def weights(self) -> Float[Array, " r"]:
        """All equal."""
        return jnp.broadcast_to(self.mass / len(self.rows), len(self.rows))

    def scores(self, model: models.Model, params: models.Params) -> Float[Array, " r"]:
        """Of all rows, less those of the origin."""
        weights, bias = jax.tree.map(jnp.subtract, params, self.origin)
        found = self.rows[:, :-2] @ weights
        return found if bias is None else found + self.rows[:, -2] * bias


Arranged = Dataset | ByColumn | Triangle


def scores(model: models.Model, params: models.Params, data: Arranged) -> Float[Array, " n *k"]:
    """The model's raw scores of all examples."""
    if isinstance(data, ByColumn | Triangle):
        return data.scores(model, params)
    return model.scores(params, data.features)


def arranged(loss: losses.Loss, data: Dataset, reduction: Reduction, start: models.Params, num_steps: int) -> Arranged:
    """The data for so many steps from `start`, each of which goes through all of them."""
    if not _worth_a_triangle(loss, data, reduction, num_steps):
        return data
    nothing = lambda leaf: np.zeros(leaf.shape, leaf.dtype)  # noqa: E731
    return _triangle(data, jax.tree.map(nothing, start) if traced(start) else start, reduction is total)


def by_column(data: Arranged) -> Arranged:
    """The table by column, unless it is so large that no copy should be made."""
    if not isinstance(data, Dataset) or data.features.size > _COPIED:
        return data
    # Without the barrier XLA takes the transpose for another name of the table.
    return ByColumn(jax.lax.optimization_barrier(data.features.T), data.targets, data.weights)


def _worth_a_triangle(loss: losses.Loss, data: Dataset, reduction: Reduction, num_steps: int) -> bool:
    rows, width = data.features.shape[0], data.features.shape[1] + 2
    long = rows >= _ROWS * width and num_steps >= max(_STEPS, width)
    if not long or reduction not in (mean, total, root_mean) or traced(data) or not losses.quadratic(loss):
        return False
    leaves = jax.tree.leaves(data)
    near = [device.platform for device in set().union(*(leaf.devices() for leaf in leaves))] == ["cpu"]
    return near and {str(leaf.dtype) for leaf in leaves} in ({"float32"}, {"float64"})


def _triangle(data: Dataset, origin: models.Params, summed: bool) -> Triangle:
    # By NumPy, for there is nothing to compile, and with it the number of rows is none of the programme's.
    features, targets = np.asarray(data.features), np.asarray(data.targets)
    weights = np.ones_like(targets) if data.weights is None else np.asarray(data.weights)
    n, width = features.shape[0], features.shape[1] + 2
    # Of any size, whose sum need not be a number.
    relative = weights / weights.max()
    share = width * (relative / relative.sum())
    found: Any = np.zeros((0, width), targets.dtype)
    slopes, level = (np.zeros(()) if leaf is None else np.asarray(leaf) for leaf in origin)
    rows = max(_BLOCK // width, 4 * width)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        # What a perfect fit leaves is exactly 0, and so is its column of the triangle. From 0 there is nothing to take.
        left = targets[part] - (features[part] @ slopes + level if slopes.any() else level)
        block = np.sqrt(share[part])[:, None] * np.column_stack([features[part], np.ones_like(left), left])
        found = np.linalg.qr(np.concatenate([found, block]), mode="r")
    mass: Any = weights.sum() if summed else np.asarray(width, targets.dtype)
    # Where there is one place, a programme takes them there sooner by itself.
    if jax.default_backend() != "cpu" or jax.device_count() > 1:
        found, mass = jax.device_put((found, mass), *data.targets.devices())
    return Triangle(found, mass, origin)
