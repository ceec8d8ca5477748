"""The design matrix in an orthonormal basis, in which every algorithm works.

With shares s (weights that sum to one), the table to factorise has a row √s_i (1, x_i) for each example and, for the
penalty l2/2 |w|², a row √l2 e_j for each weight. Columns are first centred at their mean (if there is an intercept)
and divided by their largest entry, both of which are harmless to round: x - m rounds relatively to x - m. Householder
QR with the column of ones in front then takes out what is left of the mean, and an SVD of the small triangle, stacked
on the penalty rows, gives rank and basis. No cross-product is formed, so no condition number is squared.

In coefficients c of that basis the scores are `rows @ c`, the penalty is |penalty @ c|²/2, and
rows' diag(s) rows + penalty' penalty = 1: least squares is one product, and a Hessian is as well conditioned as the
curvatures of the loss. A direction that the data do not determine has a column of zeros.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..models import Params
from ._normal import normal_solver


class Design(NamedTuple):
    """The basis, and the way back to weights and bias.

    Attributes:
        features, share: the table and the weights that sum to one.
        table: the scores of the basis vectors, of which the first is constant if there is an intercept, and below them
            √l2 times their weights.
        weights_of: the weights of the basis vectors other than the constant one.
        null: weights that change no score, beside columns of zeros.
        spread: its inverse, transposed: `spread @ g` is the gradient in the weights from that in the coefficients.
        offset: what a unit of each weight takes from the bias; None without an intercept.
        level: the bias of a unit of the first coefficient.
        deficient: the data do not determine every weight.
    """

    features: Float[Array, "n d"]
    share: Float[Array, " n"]
    table: Float[Array, "n+d m"]
    weights_of: Float[Array, "d r"]
    null: Float[Array, "d r"]
    spread: Float[Array, "d r"]
    offset: Float[Array, " d"] | None
    level: Float[Array, ""]
    deficient: Bool[Array, ""]

    @property
    def rows(self) -> Float[Array, "n m"]:
        """The scores of the basis vectors."""
        return self.table[: self.share.size]

    @property
    def penalty(self) -> Float[Array, "d m"]:
        """√l2 times the weights of the basis vectors."""
        return self.table[self.share.size :]

    @property
    def constants(self) -> int:
        """How many leading coefficients are for the intercept: 1 or 0."""
        return int(self.offset is not None)

    def encode(self, scores: Float[Array, "n *k"], weights: Float[Array, "d *k"], l2: Array) -> Float[Array, "m *k"]:
        """The coefficients of a linear model, from its scores and weights."""
        scaled = jnp.sqrt(l2) * weights
        return self.rows.T @ _by_row(self.share, scores) + self.penalty.T @ scaled

    def decode(self, coefficients: Float[Array, "m *k"]) -> Params:
        """The weights and the bias that the coefficients stand for: of all weights with these scores the smallest."""
        weights = self._smallest(self.weights_of @ coefficients[self.constants :])
        if self.offset is None:
            return Params(weights, None)
        return Params(weights, self.level * coefficients[0] - self.offset @ weights)

    def _smallest(self, weights: Float[Array, "d *k"]) -> Float[Array, "d *k"]:
        """What lies along `null` is taken out, where there is any."""

        # A loop of one pass or none, so that it is not computed for nothing, and waits for the weights. `null` is in
        # its state so that nothing moves out of it and runs beside another factorisation: see `design`.
        def take_out(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            _, null, weights = state
            along = normal_solver(null.T @ null)(null.T @ weights)
            return jnp.array(False), jnp.zeros_like(null), weights - null @ along

        return jax.lax.while_loop(lambda state: state[0], take_out, (self.deficient, self.null, weights))[2]

    def pull_back(self, by_weights: Float[Array, " d"], by_bias: Float[Array, ""]) -> Float[Array, " m"]:
        """The gradient in the coefficients, from that in weights and bias."""
        if self.offset is None:
            return self.weights_of.T @ by_weights
        rest = self.weights_of.T @ (by_weights - self.offset * by_bias)
        return jnp.concatenate([(self.level * by_bias)[None], rest])


def design(features: Float[Array, "n d"], share: Float[Array, " n"], l2: Float[Array, ""], intercept: bool) -> Design:
    """Factorise the table. `share` sums to one; examples of share 0 are left out."""
    root = jnp.sqrt(share)[:, None]
    centre = _mean(features, share) if intercept else jnp.zeros_like(features[0])
    centred = features - centre[None]
    size = jnp.maximum(jnp.max(root * jnp.abs(centred), axis=0), jnp.sqrt(l2))
    size = jnp.where(size > 0, size, 1.0)
    scaled = root * (centred / size[None])
    q, r = jnp.linalg.qr(jnp.concatenate([root, scaled], axis=1) if intercept else scaled)
    first = int(intercept)
    # The SVD must wait for q. A batch of factorisations blocks a thread of XLA's pool until the pool has done it; two
    # batches side by side on two cores block all of it, and never return (jaxlib 0.10.2).
    after = jnp.where(jnp.isnan(q[0, 0]), jnp.nan, 0.0).astype(r.dtype)
    stacked = after + jnp.concatenate([r[first:, first:], jnp.diag(jnp.sqrt(l2) / size)])
    basis, singular, right = jnp.linalg.svd(stacked, full_matrices=False)
    kept = singular > jnp.finfo(r.dtype).eps * max(features.shape) * singular[0]
    basis = jnp.where(kept[None], basis, 0.0)
    top = r.shape[0] - first
    columns = [q[:, :1], q[:, 1:] @ basis[:top]] if intercept else [q @ basis[:top]]
    rows = jnp.where(root > 0, jnp.concatenate(columns, axis=1) / jnp.where(root > 0, root, 1.0), 0.0)
    penalty = jnp.concatenate([jnp.zeros((size.size, first), r.dtype), basis[top:]], axis=1)
    back, inverse = right.T / size[:, None], jnp.where(kept, 1 / jnp.where(kept, singular, 1.0), 0.0)
    return Design(
        features=features,
        share=share,
        table=jnp.concatenate([rows, penalty]),
        weights_of=back * inverse[None],
        null=jnp.where(kept[None], 0.0, back),
        spread=size[:, None] * right.T * jnp.where(kept, singular, 0.0)[None],
        offset=centre + size * r[0, 1:] / r[0, 0] if intercept else None,
        level=1 / r[0, 0] if intercept else jnp.ones((), r.dtype),
        deficient=~jnp.all(kept),
    )


def _by_row(share: Array, values: Array) -> Array:
    return share.reshape(-1, *(1,) * (values.ndim - 1)) * values


def _mean(features: Array, share: Array) -> Array:
    # Taken from a row that counts, so that a constant column is centred to exactly zero.
    reference = features[jnp.argmax(share)]
    return reference + share @ (features - reference[None])
