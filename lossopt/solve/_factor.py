"""A table as Q R: Q orthonormal, R a triangle or what stands for one. The ways of `_design`, and when each is sound."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ._normal import triangle


# How far from orthonormal the first Cholesky factor may leave the basis; 1e-2 is a condition of 1e6 or 1e7.
SOUND = 1e-2
# How far from orthonormal the basis may be to be left so: nothing that is computed in it needs more.
_ENOUGH = 1e-9


class Factor(NamedTuple):
    """A = Q R: the first n rows of Q, transposed; the first row of R; the rest of R, as in `Design`."""

    basis: Array | None
    first: Array
    weights_of: Array
    spread: Array
    deficient: Array


class _Orthogonalised(NamedTuple):
    """q times the triangle `upper` is the table; `apart` is how far q is from orthonormal at most."""

    q: Array
    upper: Array
    inverse: Array
    apart: Array
    passes: Array


def by_cholesky(table: Array, ridge: Array, size: Array, intercept: bool) -> tuple[Factor, Array]:
    """The factor, and whether it is sound."""
    (m, n), eye = table.shape, jnp.eye(table.shape[0], dtype=table.dtype)
    below = jnp.concatenate([jnp.zeros((m - ridge.size, ridge.size), table.dtype), jnp.diag(ridge)])

    def orthogonalise(found: _Orthogonalised) -> _Orthogonalised:
        squared = found.q @ found.q.T
        again, undone, condition = triangle_of(squared)
        # After one pass the basis is orthonormal to the square of the condition. A norm, for XLA's max drops NaN.
        rounding = condition**2 * jnp.finfo(table.dtype).eps
        apart = jnp.where(found.passes > 0, jnp.linalg.norm(squared - eye), rounding)
        return _Orthogonalised(undone.T @ found.q, again @ found.upper, found.inverse @ undone, apart, found.passes + 1)

    start = _Orthogonalised(
        jnp.concatenate([table, below], axis=1), eye, eye, jnp.full_like(ridge[0], jnp.inf), jnp.zeros((), int)
    )
    found = jax.lax.while_loop(lambda f: (f.passes < 2) & ~(f.apart < _ENOUGH), orthogonalise, start)
    whole = Triangle(found.upper, found.inverse, found.apart)
    return from_triangle(whole, size, intercept, found.q[:, :n]), found.apart < SOUND


class Triangle(NamedTuple):
    """R with R'R a Gram matrix, its inverse, and about its condition number once columns have one length."""

    upper: Array
    inverse: Array
    condition: Array

    @property
    def sound(self) -> Array:
        """Whether the matrix is well enough conditioned for the triangle to be trusted; not where it is NaN."""
        return self.condition**2 * jnp.finfo(self.upper.dtype).eps < SOUND


def triangle_of(squared: Array) -> Triangle:
    """The Cholesky factor of a Gram matrix, by way of that of columns of length one; NaN if it is singular."""
    length = jnp.sqrt(jnp.diagonal(squared))
    upper, inverse = triangle(squared / (length[:, None] * length[None]))
    condition = jnp.linalg.norm(inverse) * jnp.sqrt(length.size)
    return Triangle(upper * length[None], inverse.T / length[:, None], condition)


def one_minimiser(curvature: Array, basis: Array) -> Array:
    """Whether a cost of this curvature in the coefficients of a basis, or of several outputs in it, has one minimiser.

    What no example sees is left out: of that the design tells.
    """
    unseen = jnp.tile(~jnp.any(basis != 0, axis=1), curvature.shape[0] // basis.shape[0])
    return triangle_of(curvature + jnp.diag(unseen.astype(basis.dtype))).sound


def from_triangle(found: Triangle, size: Array, intercept: bool, basis: Array | None = None) -> Factor:
    """The factor whose R is a triangle: of full rank, or it would have no inverse."""
    first = int(intercept)
    weights_of = found.inverse[first:, first:] / size[:, None]
    spread = size[:, None] * found.upper[first:, first:].T
    return Factor(basis, found.upper[0], weights_of, spread, jnp.array(False))


def from_squares(squared: Array, size: Array, *, intercept: bool) -> tuple[Factor, Array]:
    """The factor of any rank by the eigenvectors of a Gram matrix, and what takes its coefficients to the columns'.

    Columns are centred if there is an intercept. The square costs half the digits: what is nearer to dependent than the
    root of rounding counts as dependent.
    """
    first = int(intercept)
    eigenvalues, vectors = jnp.linalg.eigh(squared[first:, first:])
    kept = eigenvalues > jnp.finfo(size.dtype).eps * squared.shape[0] * eigenvalues[-1]
    singular = jnp.sqrt(jnp.where(kept, eigenvalues, 1.0))
    change = jnp.eye(squared.shape[0], dtype=size.dtype)
    change = change.at[first:, first:].set(jnp.where(kept[None], vectors / singular[None], 0.0))
    return _of_any_rank(vectors, jnp.where(kept, singular, 0.0), squared[0], size, None), change


def orthogonal(table: Array, ridge: Array, size: Array, intercept: bool) -> Factor:
    """The factor by Householder QR and an SVD of its triangle, of any rank; what is not determined is 0 in it."""
    first = int(intercept)
    q, r = jnp.linalg.qr(table.T)
    stacked = jnp.concatenate([r[first:, first:], jnp.diag(ridge)])
    turn, singular, right = jnp.linalg.svd(stacked, full_matrices=False)
    kept = singular > jnp.finfo(r.dtype).eps * max(table.shape[1], size.size) * singular[0]
    turned = jnp.where(kept[None], turn, 0.0)[: r.shape[0] - first]
    basis = jnp.concatenate([q[:, :1], q[:, 1:] @ turned], axis=1) if intercept else q @ turned
    return _of_any_rank(right.T, jnp.where(kept, singular, 0.0), r[0], size, basis.T)


def _of_any_rank(right: Array, singular: Array, first: Array, size: Array, basis: Array | None) -> Factor:
    """The factor from right singular vectors, by column, and singular values, of which 0 are not determined."""
    kept, back = singular > 0, right / size[:, None]
    weights_of = jnp.where(kept[None], back / jnp.where(kept, singular, 1.0)[None], 0.0)
    # Weights along a direction that is not kept change no score; without them they are the smallest.
    along, *_ = jnp.linalg.svd(jnp.where(kept[None], 0.0, back), full_matrices=False)
    along = jnp.where(jnp.arange(kept.size)[None] < jnp.sum(~kept), along, 0.0)
    return Factor(
        basis=basis,
        first=first,
        weights_of=weights_of - along @ (along.T @ weights_of),
        spread=size[:, None] * right * singular[None],
        deficient=~jnp.all(kept),
    )
