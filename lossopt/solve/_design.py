"""The examples in an orthonormal basis, in which every algorithm works.

With shares s (weights that sum to one), the table A to factorise has a row √s_i (1, z_i) for each example and, for the
penalty l2/2 |w|², a row √l2/size_j e_j for each weight; z are the columns centred at their mean (if there is an
intercept) and divided by their largest entry, both of which are harmless to round: x - m rounds relatively to x - m.

In coefficients c of the basis B, whose rows are the scores of the basis vectors, all scores are c B, the penalty is
|P c|²/2, and B diag(s) B' + P'P = 1: least squares is one product, and a Hessian is as well conditioned as the
curvatures of the loss. A direction that the data do not determine has zeros in B and in P. A score is a column of B, so
that products run along the examples: for a thousand small tables that is three times as fast as the other way.

Three ways lead there.

- The Cholesky factor of A'A: A = Q₁R₁. Where the condition number leaves Q₁ not quite orthonormal, a second,
  Q₁ = QR₂, makes it so to rounding (Yamamoto et al. 2015), and Q₁'Q₁ ≈ 1 shows that the first was sound: the condition
  is below about 1e6.
- Where it was not, Householder QR with the column of ones in front, then an SVD of the small triangle, stacked on the
  penalty rows, which gives rank and basis. No cross-product is formed, so no condition number is squared.
- For a table larger than the cache the basis is never formed. A sample of the blocks of its rows gives the means, A'A
  and R; the columns of a block are (1, z), and `change` = R⁻¹ takes coefficients to theirs. Such a basis is orthonormal
  to the error of sampling.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..models import Params
from ._blocks import by_blocks, Fold, Rows, rows_at, sample_first
from ._branch import only_if
from ._columns import Columns, extents, largest_of, leverage, positive, power_of_two, standardised
from ._factor import by_cholesky, from_squares, from_triangle, orthogonal, Triangle, triangle_of
from ._normal import added, times


# One in so many blocks is a sample of them, or a sparse one; so many rows for each column are enough of it.
SAMPLED, SPARSELY, ENOUGH = 16, 64, 100


class Design(NamedTuple):
    """The basis, and the way back to weights and bias.

    Attributes:
        features: the table.
        share: the weights that sum to one; of a large table one number, if it is that of every example.
        formed: the basis; None if it is formed a block at a time.
        centre, size: of each column of the features.
        change: the coefficients of (1, z) for those of the basis; None if it is formed.
        weights_of: the weights of the basis vectors other than the constant one.
        spread: its inverse, transposed: `spread @ g` is the gradient in the weights from that in the coefficients.
        penalty: √l2 times the weights of the basis vectors.
        offset: what a unit of each weight takes from the bias; None without an intercept.
        level: the bias of a unit of the first coefficient.
        deficient: the data do not determine every weight.
        suspect: the columns are so nearly dependent that the basis should be found by `design`.
        most: of a table in blocks, for each column about the largest leverage of an example that was looked at.
    """

    features: Rows
    share: Float[Array, "*n"]
    formed: Float[Array, "m n"] | None
    centre: Float[Array, " d"]
    size: Float[Array, " d"]
    change: Float[Array, "m m"] | None
    weights_of: Float[Array, "d r"]
    spread: Float[Array, "d r"]
    penalty: Float[Array, "d m"]
    offset: Float[Array, " d"] | None
    level: Float[Array, ""]
    deficient: Bool[Array, ""]
    suspect: Bool[Array, ""]
    most: Float[Array, " d"] | None

    @property
    def basis(self) -> Float[Array, "m n"]:
        """The scores of the basis vectors, of which the first is constant if there is an intercept."""
        assert self.formed is not None
        return self.formed

    @property
    def constants(self) -> int:
        """How many leading coefficients are for the intercept: 1 or 0."""
        return int(self.offset is not None)

    def fold(self, fn: Callable[..., Fold], *columns: Array, every: Array | int = 1, **options: Any) -> Fold:
        """`fn(basis, share, *columns)` over all examples; if the table is large, over one in `every` blocks (0: none).

        `options` are those of `by_blocks`; a small table is one block, which is wanted.
        `fn` is given `Columns`. Their scores are `basis.scores(self.inner(c))`, and moments go back by `self.outer`.
        """
        if self.formed is not None:
            return fn(Columns(self.formed), self.share, *columns, *[True] * ("seldom" in options))

        def of_block(features: Array, share: Array, *columns: Array) -> Fold:
            return fn(standardised(features, self.centre, self.size, self.constants), share, *columns)

        return by_blocks(of_block, every, self.features, self.share, *columns, **options)

    @property
    def shares(self) -> Float[Array, " n"]:
        """The share of each example."""
        return jnp.broadcast_to(self.share, self.features.shape[:1])

    def mean(self, values: Float[Array, "n k"]) -> Float[Array, " k"]:
        """Of some values of each example."""
        return self.shares @ values

    def rows(self, at: Int[Array, " k"]) -> Float[Array, "m k"]:
        """The examples at some places, in the basis."""
        if self.formed is not None:
            return self.formed[:, at]
        rows = rows_at(self.features, at).astype(self.share.dtype)
        return self.outer(standardised(rows, self.centre, self.size, self.constants).formed)

    def inner(self, coefficients: Float[Array, " m *k"]) -> Float[Array, " m *k"]:
        """The coefficients in the basis that `fold` passes."""
        return coefficients if self.change is None else times(self.change, coefficients)

    def outer(self, sums: Float[Array, " m *k"]) -> Float[Array, " m *k"]:
        """Sums over the columns that `fold` passes, as sums over those of the basis."""
        return sums if self.change is None else times(self.change.T, sums)

    def project(self, scores: Float[Array, "n k"], every: int = 1) -> Float[Array, "m k"]:
        """The coefficients of the least-squares fit to some scores, if the basis is orthonormal.

        Of a large table, of one in `every` blocks.
        """
        if self.formed is not None:
            return Columns(self.formed).moments(self.share[None] * scores.T)
        # Beside a level that is far from 0 even a small error would be large.
        level = self.constant(self.mean(scores))
        return level + self.left(level, scores, every)

    def left(self, found: Float[Array, "m k"], scores: Float[Array, "n k"], every: int = 1) -> Float[Array, "m k"]:
        """The mean moments of what some coefficients leave of some scores, over one in `every` blocks."""
        inner = self.inner(found)

        def of_block(basis: Columns, share: Array, scores: Array) -> Fold:
            return Fold((basis.moments(share[None] * (scores.T - basis.scores(inner))), jnp.sum(share)))

        total, part = self.fold(of_block, scores, every=every).sums
        return self.outer(total) / positive(part)

    def inner_of(self, params: Params) -> Float[Array, " m *k"]:
        """Weights (d, *k) and a bias (*k,) as coefficients in the basis that `fold` passes of a large table."""
        assert self.change is not None
        weights = self.size.reshape(-1, *(1,) * (params.weights.ndim - 1)) * params.weights
        if params.bias is None:
            return weights
        return jnp.concatenate([(params.bias + self.centre @ params.weights)[None], weights])

    def encode(self, params: Params) -> Float[Array, " m *k"]:
        """The coefficients that stand for weights and a bias, of one score or of k."""
        by_weights = times(self.spread.T, params.weights)
        if self.offset is None:
            return by_weights
        assert params.bias is not None
        return jnp.concatenate([(params.bias + self.offset @ params.weights)[None] / self.level, by_weights])

    def constant(self, level: Float[Array, " k"]) -> Float[Array, "m k"]:
        """The coefficients of scores that are the same for all examples; 0 without an intercept."""
        weights = jnp.zeros((self.size.size, level.size), level.dtype)
        return self.encode(Params(weights, level if self.constants else None))

    def shrinkage(self, coefficients: Float[Array, " m *k"]) -> Float[Array, ""]:
        """What the penalty adds to a cost: |P c|²/2."""
        return jnp.sum(times(self.penalty, coefficients) ** 2) / 2

    def decode(self, coefficients: Float[Array, " m *k"]) -> Params:
        """The weights and the bias that the coefficients stand for: of all weights with these scores the smallest."""
        weights = times(self.weights_of, coefficients[self.constants :])
        if self.offset is None:
            return Params(weights, None)
        shift = added(weights.T * jnp.broadcast_to(self.offset, weights.T.shape))
        return Params(weights, self.level * coefficients[0] - shift)

    def pull_back(self, by_weights: Float[Array, " d"], by_bias: Float[Array, ""]) -> Float[Array, " m"]:
        """The gradient in the coefficients, from that in weights and bias."""
        if self.offset is None:
            return self.weights_of.T @ by_weights
        rest = self.weights_of.T @ (by_weights - self.offset * by_bias)
        return jnp.concatenate([(self.level * by_bias)[None], rest])


def design(
    features: Float[Array, "n d"],
    share: Float[Array, " n"],
    l2: Float[Array, ""],
    intercept: bool,
    careful: bool | None = None,
) -> Design:
    """Factorise the table. `share` sums to one; examples of share 0 are left out.

    `careful` says that Cholesky factors are not enough; None finds out, for which both ways are compiled. False trusts
    them, and `suspect` says whether that was right.
    """
    root = jnp.sqrt(share)
    centre = _mean(features, share) if intercept else jnp.zeros_like(features[0])
    columns = (features - centre[None]).T
    size = positive(jnp.maximum(jnp.max(root[None] * jnp.abs(columns), axis=1), jnp.sqrt(l2)))
    scaled = root[None] * (columns / size[:, None])
    table = jnp.concatenate([root[None], scaled]) if intercept else scaled
    ridge = jnp.sqrt(l2) / size
    # One table after the other, in a batch too: LAPACK's batches, of two threads at once, never return. See `_normal`.
    carefully = jax.custom_batching.sequential_vmap(functools.partial(orthogonal, intercept=intercept))
    suspect = jnp.array(False)
    if careful:
        factor = carefully(table, ridge, size)
    else:
        factor, sound = by_cholesky(table, ridge, size, intercept)
        if careful is None:
            factor = only_if(~sound, carefully, (table, ridge, size), factor)
        else:
            suspect = ~sound
    assert factor.basis is not None
    factor = factor._replace(basis=jnp.where(root > 0, factor.basis / positive(root)[None], 0.0))
    return finish(features, share, l2, intercept, centre, size, factor, None, suspect)


def blocked_design(
    features: Rows, share: Float[Array, "*n"], l2: Float[Array, ""], intercept: bool, *, sampled: bool, any_rank: bool
) -> Design:
    """The same for a table larger than the cache, of whose rows no copy is made.

    `sampled` takes the extents of the columns, too, from a sample, if that determines all coefficients. Unless it is to
    be found for columns of any rank, the basis is NaN where it is suspect.
    """

    def look(every: Array) -> _Look:
        centre, largest = extents(features, share, intercept, every if sampled else 1)
        size = power_of_two(positive(jnp.maximum(largest, jnp.sqrt(l2))))

        def squares(rows: Array, share: Array) -> Fold:
            columns = standardised(rows, centre, size, intercept)
            return Fold((columns.gram(share), jnp.sum(share)), largest_of(columns.table, share))

        (squared, part), largest, _ = by_blocks(squares, every, features, share)
        ridge = jnp.concatenate([jnp.zeros(int(intercept), size.dtype), l2 / size**2])
        squared = squared / positive(part) + jnp.diag(ridge)
        square, mean = jnp.diag(squared)[int(intercept) :], squared[0, 1:] if intercept else jnp.zeros_like(centre)
        most = leverage(largest, square, mean, part, share, intercept)
        return _Look(centre, size, squared, triangle_of(squared), most)

    # A sample of the rows makes a basis that is nearly orthonormal, which is enough; unless it lacks some column.
    n, d = features.shape
    first_look = SPARSELY if n >= SPARSELY * ENOUGH * d else min(max(n // (ENOUGH * d), 1), SAMPLED)
    zeros, none = jnp.zeros(d, share.dtype), jnp.zeros((int(intercept) + d,) * 2, share.dtype)
    nothing = _Look(zeros, zeros, none, Triangle(none, none, jnp.full_like(l2, jnp.inf)), zeros)
    centre, size, squared, found, most = sample_first(look, lambda last: last.found.sound, first_look, nothing)
    factor, change = from_triangle(found, size, intercept), found.inverse
    if any_rank:
        carefully = jax.custom_batching.sequential_vmap(functools.partial(from_squares, intercept=intercept))
        factor, change = only_if(~found.sound, carefully, (squared, size), (factor, change))
    return finish(features, share, l2, intercept, centre, size, factor, change, ~found.sound, most)


class _Look(NamedTuple):
    """The columns' centres, sizes and Gram matrix with its triangle, and the largest leverage in each."""

    centre: Array
    size: Array
    squared: Array
    found: Triangle
    most: Array


def finish(features, share, l2, intercept, centre, size, factor, change, suspect, most=None) -> Design:
    """The design of a factor, with the ways back from its basis."""
    weights_of, first = factor.weights_of, factor.first
    unpenalised = jnp.zeros((size.size, int(intercept)), size.dtype)
    return Design(
        features=features,
        share=share,
        formed=factor.basis,
        centre=centre,
        size=size,
        change=change,
        weights_of=weights_of,
        spread=factor.spread,
        penalty=jnp.concatenate([unpenalised, jnp.sqrt(l2) * weights_of], axis=1),
        offset=centre + size * first[1:] / first[0] if intercept else None,
        level=1 / first[0] if intercept else jnp.ones((), size.dtype),
        deficient=factor.deficient,
        suspect=suspect,
        most=most,
    )


def _mean(features: Array, share: Array) -> Array:
    # Taken from a row that counts, so that a constant column is centred to exactly zero.
    reference = features[jnp.argmax(share)]
    return reference + share @ (features - reference[None])
