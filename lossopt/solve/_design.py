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
- For a table larger than the cache the basis is never formed. One pass over the rows, a block at a time, gives A'A and
  R; the columns of a block are (1, z), and `change` = R⁻¹ takes coefficients to theirs.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ..models import Params
from ._normal import triangle


# Numbers in a block of rows, half a megabyte in float64; and in a table that is worth going through in blocks.
BLOCK, LARGE = 2**16, 2**21
# How far from orthonormal the first Cholesky factor may leave the basis; 1e-2 is a condition of 1e6 or 1e7.
_SOUND = 1e-2
# How far from orthonormal the basis may be to be left so: nothing that is computed in it needs more.
_ENOUGH = 1e-9


class Fold(NamedTuple):
    """What a function of a block of examples gives: sums, to be added; numbers, of which the largest is wanted; an
    array with an entry for each example, to be kept."""

    sums: PyTree
    largest: PyTree = ()
    each: PyTree = ()


class Design(NamedTuple):
    """The basis, and the way back to weights and bias.

    Attributes:
        features, share: the table and the weights that sum to one.
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
    """

    features: Float[Array, "n d"]
    share: Float[Array, " n"]
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

    @property
    def basis(self) -> Float[Array, "m n"]:
        """The scores of the basis vectors, of which the first is constant if there is an intercept."""
        assert self.formed is not None
        return self.formed

    @property
    def constants(self) -> int:
        """How many leading coefficients are for the intercept: 1 or 0."""
        return int(self.offset is not None)

    def fold(self, fn: Callable[..., Fold], *columns: Array) -> Fold:
        """`fn(basis, share, *columns)` over all examples, in blocks if the table is large.

        In the basis that `fn` sees scores are `self.inner(c).T @ basis`; sums over its columns go back by `self.outer`.
        """
        if self.formed is not None:
            return fn(self.formed, self.share, *columns)

        def of_block(features: Array, share: Array, *columns: Array) -> Fold:
            return fn(_standardised(features, self.centre, self.size, bool(self.constants)), share, *columns)

        return _by_blocks(of_block, self.features, self.share, *columns)

    def inner(self, coefficients: Float[Array, "m *k"]) -> Float[Array, "m *k"]:
        """The coefficients in the basis that `fold` passes."""
        return coefficients if self.change is None else self.change @ coefficients

    def outer(self, sums: Float[Array, "m *k"]) -> Float[Array, "m *k"]:
        """Sums over the columns that `fold` passes, as sums over those of the basis."""
        return sums if self.change is None else self.change.T @ sums

    def encode(self, scores: Float[Array, "n *k"], weights: Float[Array, "d *k"], l2: Array) -> Float[Array, "m *k"]:
        """The coefficients of a linear model, from its scores and weights."""
        projected = self.fold(lambda basis, share, scores: Fold(basis @ _by_row(share, scores)), scores).sums
        return self.outer(projected) + self.penalty.T @ (jnp.sqrt(l2) * weights)

    def decode(self, coefficients: Float[Array, "m *k"]) -> Params:
        """The weights and the bias that the coefficients stand for: of all weights with these scores the smallest."""
        weights = self.weights_of @ coefficients[self.constants :]
        if self.offset is None:
            return Params(weights, None)
        return Params(weights, self.level * coefficients[0] - self.offset @ weights)

    def pull_back(self, by_weights: Float[Array, " d"], by_bias: Float[Array, ""]) -> Float[Array, " m"]:
        """The gradient in the coefficients, from that in weights and bias."""
        if self.offset is None:
            return self.weights_of.T @ by_weights
        rest = self.weights_of.T @ (by_weights - self.offset * by_bias)
        return jnp.concatenate([(self.level * by_bias)[None], rest])


class _Factor(NamedTuple):
    """A = Q R: the first n rows of Q, transposed; the first row of R; the rest of R, as in `Design`."""

    basis: Array | None
    first: Array
    weights_of: Array
    spread: Array
    deficient: Array


def design(features: Float[Array, "n d"], share: Float[Array, " n"], l2: Float[Array, ""], intercept: bool) -> Design:
    """Factorise the table. `share` sums to one; examples of share 0 are left out."""
    root = jnp.sqrt(share)
    centre = _mean(features, share) if intercept else jnp.zeros_like(features[0])
    columns = (features - centre[None]).T
    size = _positive(jnp.maximum(jnp.max(root[None] * jnp.abs(columns), axis=1), jnp.sqrt(l2)))
    scaled = root[None] * (columns / size[:, None])
    table = jnp.concatenate([root[None], scaled]) if intercept else scaled
    ridge = jnp.sqrt(l2) / size
    factor, sound = _by_cholesky(table, ridge, size, intercept)
    carefully = functools.partial(_orthogonal, ridge=ridge, size=size, intercept=intercept)
    factor = only_if(~sound, carefully, (table,), factor)
    factor = factor._replace(basis=jnp.where(root > 0, factor.basis / _positive(root)[None], 0.0))
    return _finish(features, share, l2, intercept, centre, size, factor, None, jnp.array(False))


def blocked_design(
    features: Float[Array, "n d"], share: Float[Array, " n"], l2: Float[Array, ""], intercept: bool
) -> Design:
    """The same for a table larger than the cache: two passes over its rows, of which no copy is made."""
    reference = features[jnp.argmax(share)]

    def extent(rows: Array, share: Array) -> Fold:
        apart = rows - reference[None]
        return Fold(share @ apart, jnp.where((share > 0)[:, None], jnp.abs(apart), 0.0).max(axis=0))

    mean, largest, _ = _by_blocks(extent, features, share)
    centre = reference + mean if intercept else jnp.zeros_like(reference)
    size = _positive(jnp.maximum(largest if intercept else largest + jnp.abs(reference), jnp.sqrt(l2)))
    standard = functools.partial(_standardised, centre=centre, size=size, intercept=intercept)
    squared = _by_blocks(lambda rows, share: Fold(gram(standard(rows), share)), features, share).sums
    ridge = jnp.concatenate([jnp.zeros(int(intercept), size.dtype), l2 / size**2])
    upper, inverse, condition = _triangle(squared + jnp.diag(ridge))
    factor = _from_triangle(None, upper, inverse, size, intercept)
    suspect = ~(condition**2 * jnp.finfo(size.dtype).eps < _SOUND)
    return _finish(features, share, l2, intercept, centre, size, factor, inverse, suspect)


def gram(basis: Float[Array, "m n"], weights: Float[Array, " n"]) -> Float[Array, "m m"]:
    """B diag(weights) B'."""
    return basis @ (weights[None] * basis).T


def _finish(features, share, l2, intercept, centre, size, factor, change, suspect) -> Design:
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
    )


def _by_cholesky(table: Array, ridge: Array, size: Array, intercept: bool) -> tuple[_Factor, Array]:
    """The factor, and whether it is sound."""
    (m, n), eye = table.shape, jnp.eye(table.shape[0], dtype=table.dtype)
    below = jnp.concatenate([jnp.zeros((m - ridge.size, ridge.size), table.dtype), jnp.diag(ridge)])

    def orthogonalise(found: _Orthogonalised) -> _Orthogonalised:
        squared = found.q @ found.q.T
        again, undone, condition = _triangle(squared)
        # After one pass the basis is orthonormal to the square of the condition.
        apart = jnp.where(found.passes > 0, jnp.max(jnp.abs(squared - eye)), condition**2 * jnp.finfo(table.dtype).eps)
        return _Orthogonalised(undone.T @ found.q, again @ found.upper, found.inverse @ undone, apart, found.passes + 1)

    start = _Orthogonalised(
        jnp.concatenate([table, below], axis=1), eye, eye, jnp.full_like(ridge[0], jnp.inf), jnp.zeros((), int)
    )
    found = jax.lax.while_loop(lambda f: (f.passes < 2) & ~(f.apart < _ENOUGH), orthogonalise, start)
    return _from_triangle(found.q[:, :n], found.upper, found.inverse, size, intercept), found.apart < _SOUND


class _Orthogonalised(NamedTuple):
    """q times the triangle `upper` is the table; `apart` is how far q is from orthonormal at most."""

    q: Array
    upper: Array
    inverse: Array
    apart: Array
    passes: Array


def _triangle(gram: Array) -> tuple[Array, Array, Array]:
    """R with R'R = gram, its inverse, and about its condition number once columns have one length."""
    length = jnp.sqrt(jnp.diagonal(gram))
    upper, inverse = triangle(gram / (length[:, None] * length[None]))
    return upper * length[None], inverse.T / length[:, None], jnp.linalg.norm(inverse) * jnp.sqrt(length.size)


def _from_triangle(basis: Array | None, upper: Array, inverse: Array, size: Array, intercept: bool) -> _Factor:
    first = int(intercept)
    weights_of = inverse[first:, first:] / size[:, None]
    spread = size[:, None] * upper[first:, first:].T
    return _Factor(basis, upper[0], weights_of, spread, jnp.array(False))


def _orthogonal(table: Array, ridge: Array, size: Array, intercept: bool) -> _Factor:
    first = int(intercept)
    q, r = jnp.linalg.qr(table.T)
    # The SVD must wait for q: batches of factorisations side by side never return. See `_normal`.
    after = jnp.where(jnp.isnan(q[0, 0]), jnp.nan, 0.0).astype(r.dtype)
    stacked = after + jnp.concatenate([r[first:, first:], jnp.diag(ridge)])
    turn, singular, right = jnp.linalg.svd(stacked, full_matrices=False)
    kept = singular > jnp.finfo(r.dtype).eps * max(table.shape[1], size.size) * singular[0]
    turned = jnp.where(kept[None], turn, 0.0)[: r.shape[0] - first]
    back, inverse = right.T / size[:, None], jnp.where(kept, 1 / jnp.where(kept, singular, 1.0), 0.0)
    weights_of = back * inverse[None]
    # Weights along a direction that is not kept change no score; without them they are the smallest.
    along, extent, _ = jnp.linalg.svd(after + jnp.where(kept[None], 0.0, back), full_matrices=False)
    along = jnp.where(extent > 0, along, 0.0)
    return _Factor(
        basis=jnp.concatenate([q[:, :1], q[:, 1:] @ turned], axis=1).T if intercept else (q @ turned).T,
        first=r[0],
        weights_of=weights_of - along @ (along.T @ weights_of),
        spread=size[:, None] * right.T * jnp.where(kept, singular, 0.0)[None],
        deficient=~jnp.all(kept),
    )


def only_if(condition: Array, fn: Callable[..., Any], arguments: tuple, otherwise: Any) -> Any:
    """`fn(*arguments)` if the condition holds, else `otherwise`: in a batch `fn` runs only if it holds for one.

    A loop of one pass or none, where `cond` would always compute both. The arguments are in its state, and changed by
    it, so that nothing that depends on them moves out of the loop.
    """

    def run(state: tuple) -> tuple:
        _, arguments, _ = state
        return jnp.array(False), jax.tree.map(jnp.zeros_like, arguments), fn(*arguments)

    return jax.lax.while_loop(lambda state: state[0], run, (condition, arguments, otherwise))[2]


def _by_blocks(fn: Callable[..., Fold], *arrays: Array) -> Fold:
    """`fn(block of each array)` over blocks of rows; the second array is the shares."""
    n, d = arrays[0].shape
    rows = min(n, max(BLOCK // d, 1))

    def of_block(index: Array) -> tuple[Array, Fold]:
        # The last block begins early enough to be whole; what it has in common with the one before counts once.
        start = jnp.minimum(index * rows, n - rows)
        first, share, *rest = (jax.lax.dynamic_slice_in_dim(array, start, rows) for array in arrays)
        share = jnp.where(start + jnp.arange(rows) >= index * rows, share, 0.0)
        return start, fn(first, share, *rest)

    def step(index: Array, total: Fold) -> Fold:
        start, found = of_block(index)
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
    return jax.lax.fori_loop(0, -(-n // rows), step, nothing)


def _standardised(rows: Array, centre: Array, size: Array, intercept: bool) -> Array:
    columns = ((rows - centre[None]) / size[None]).T
    return jnp.concatenate([jnp.ones_like(columns[:1]), columns]) if intercept else columns


def _positive(values: Array) -> Array:
    return jnp.where(values > 0, values, 1.0)


def _by_row(share: Array, values: Array) -> Array:
    return share.reshape(-1, *(1,) * (values.ndim - 1)) * values


def _mean(features: Array, share: Array) -> Array:
    # Taken from a row that counts, so that a constant column is centred to exactly zero.
    reference = features[jnp.argmax(share)]
    return reference + share @ (features - reference[None])
