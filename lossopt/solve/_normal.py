"""Symmetric positive definite matrices: from a table, as triangles, and normal equations that may be singular.

A very small matrix is left to LAPACK, and so is a large one. For others LAPACK has threads of its own, which spin for a
while when they have done and take the cores from what comes next; but to solve with a triangle it has none, where there
are few right-hand sides. Small ones of a batch are eliminated here, too: of
thousands that is faster, and LAPACK's batched routines block a thread of XLA's pool until the pool has done them:
several at once never return (jaxlib 0.10.2). For the same reason LAPACK is given large ones one after the other.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._blocks import by_parts, walk


# The size up to which LAPACK uses one thread, and up to which matrices of a batch are eliminated here.
_ALONE, _SMALL = 24, 64
# How many terms XLA's CPU compiler adds up in one loop, and up to how many columns a product with a vector is such
# sums: its kernel for a product takes four times as long to compile, and a longer sum it adds up in a tree of kernels.
_TERMS, _COLUMNS = 32, 128
# From how many columns on a Gram matrix is computed by halves, which saves a quarter of the work.
_HALVED = 32
# The numbers in a block of columns of which one is computed, where there are several blocks.
CACHED = 2**16


def gram(basis: Float[Array, "m n"], weights: Float[Array, " n"]) -> Float[Array, "m m"]:
    """B diag(weights) B'."""
    if basis.size > 2 * CACHED:
        return jnp.sum(by_parts(_gram_by_blocks, (1, 0), basis, weights), axis=0)
    weighted, half = weights[None] * basis, basis.shape[0] // 2
    if half < _HALVED // 2:
        return basis @ weighted.T
    above, right = basis[:half] @ weighted.T, basis[half:] @ weighted[half:].T
    return jnp.concatenate([above, jnp.concatenate([above[:, half:].T, right], axis=1)])


def _gram_by_blocks(basis: Array, weights: Array) -> Array:
    """The same of a table larger than the cache, of which no weighted copy is made."""
    m, n = basis.shape
    columns = min(max(CACHED // m, 1), n)

    def add(start: Array, fresh: Array, total: Array) -> Array:
        part = jnp.where(fresh, jax.lax.dynamic_slice_in_dim(weights, start, columns), 0.0)
        return total + gram(jax.lax.dynamic_slice_in_dim(basis, start, columns, axis=1), part)

    return walk(add, columns, n, jnp.zeros((m, m), basis.dtype))


def moments(basis: Float[Array, "m n"], values: Float[Array, "k n"]) -> Float[Array, "m k"]:
    """B values'."""
    if values.shape[0] > 1:
        return jnp.einsum("an,kn->ak", basis, values)
    # Written so, XLA reads a block of rows, of which the basis is the transpose, in half the time.
    return (values[0] @ basis.T)[:, None]


def times(matrix: Float[Array, "l m"], right: Float[Array, " m *k"]) -> Float[Array, " l *k"]:
    """matrix @ right. A small one is a sum, which is compiled with what comes before and after it."""
    columns = right.reshape(len(right), math.prod(right.shape[1:])).T
    if len(columns) > 2 or max(matrix.shape) > (_COLUMNS if len(columns) == 1 else _TERMS):
        return matrix @ right
    return added(matrix[:, None] * columns[None]).reshape(-1, *right.shape[1:])


def added(terms: Float[Array, "*m n"]) -> Float[Array, "*m"]:
    """The sum along the last axis; that of few terms by parts of which each is added up in one loop."""
    count = terms.shape[-1]
    if not _TERMS < count <= _COLUMNS:
        return jnp.sum(terms, axis=-1)
    parts = jnp.split(terms, list(range(_TERMS, count, _TERMS)), axis=-1)
    return functools.reduce(jnp.add, [jnp.sum(part, axis=-1) for part in parts])


def total(values: Float[Array, "..."]) -> Float[Array, ""]:
    """The sum of all numbers of an array, along one axis after the other."""
    while values.ndim:
        values = added(values)
    return values


def dot(left: Float[Array, "..."], right: Float[Array, "..."]) -> Float[Array, ""]:
    """The inner product of two arrays."""
    return total(left * right)


def length(values: Float[Array, "..."]) -> Float[Array, ""]:
    """The Euclidean length of an array."""
    return jnp.sqrt(dot(values, values))


def all_finite(values: Float[Array, "..."]) -> Bool[Array, ""]:
    """Whether all numbers of an array are."""
    return total(jnp.where(jnp.isfinite(values), 0.0, 1.0)) == 0


def once(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The same, computed once: what is cheap XLA computes again for every row of a product with it, but no division."""
    return values / jnp.where(values == values, 1.0, values)


@jax.custom_batching.custom_vmap
def triangle(matrix: Float[Array, "m m"]) -> tuple[Float[Array, "m m"], Float[Array, "m m"]]:
    """The upper triangle R with R'R = matrix and the transposed inverse of R; NaN if it is not positive definite."""
    if _ALONE < len(matrix) <= _SMALL:
        return _eliminated(matrix)
    lower, eye = jax.lax.linalg.cholesky(matrix, symmetrize_input=False), jnp.eye(len(matrix), dtype=matrix.dtype)
    return lower.T, jax.lax.linalg.triangular_solve(lower, eye, left_side=True, lower=True)


@triangle.def_vmap
def _triangles(count: int, batched: Any, matrices: Array) -> tuple[tuple[Array, Array], tuple[bool, bool]]:
    if matrices.shape[-1] > _SMALL:
        return jax.lax.map(triangle, matrices), (True, True)
    return jax.vmap(_eliminated)(matrices), (True, True)


def _eliminated(matrix: Array) -> tuple[Array, Array]:
    m = matrix.shape[0]
    places = jnp.arange(m)

    def eliminate(k: Array, both: Array) -> Array:
        row = both[k] * jax.lax.rsqrt(both[k, k])
        below = jnp.where(places > k, row[:m], 0.0)
        return jnp.where((places == k)[:, None], row[None], both - below[:, None] * row[None])

    # What makes a triangle of the matrix makes the inverse of that triangle, transposed, of 1.
    both = jax.lax.fori_loop(0, m, eliminate, jnp.concatenate([matrix, jnp.eye(m, dtype=matrix.dtype)], axis=1))
    return jnp.triu(both[:, :m]), both[:, m:]


def definite_solver(matrix: Float[Array, "m m"]) -> Callable[[Float[Array, " m *k"]], Float[Array, " m *k"]]:
    """Solve with a positive definite matrix; of any other the solution is NaN."""
    return functools.partial(_solution, matrix, *triangle(matrix))


@jax.custom_batching.custom_vmap
def _solution(matrix: Array, upper: Array, inverse: Array, right: Array) -> Array:
    half = jax.lax.linalg.triangular_solve(upper, right.reshape(len(right), -1), left_side=True, transpose_a=True)
    return jax.lax.linalg.triangular_solve(upper, half, left_side=True).reshape(right.shape)


@_solution.def_vmap
def _solutions(count: int, batched: Any, *given: Array) -> tuple[Array, bool]:
    many = [
        each if is_many else jnp.broadcast_to(each, (count, *each.shape))
        for each, is_many in zip(given, batched, strict=True)
    ]
    if many[0].shape[-1] > _SMALL:
        return jax.lax.map(lambda one: _solution(*one), many), True
    return jax.vmap(_by_inverse)(*many), True


def _by_inverse(matrix: Array, upper: Array, inverse: Array, right: Array) -> Array:
    # Its error is as small as the condition allows, but what is left over may not be: refined once, both are.
    found = times(inverse.T, times(inverse, right))
    return found + times(inverse.T, times(inverse, right - times(matrix, found)))


def normal_solver(matrix: Float[Array, "m m"]) -> Callable[[Float[Array, " m *k"]], Float[Array, " m *k"]]:
    """Solve with a matrix that is positive semi-definite up to rounding: `normal_solver(matrix)(right)`.

    It is scaled to a unit diagonal, to which a little is added; a row of zeros gives a solution of 0.
    """
    eye, eps = jnp.eye(matrix.shape[0], dtype=matrix.dtype), jnp.finfo(matrix.dtype).eps
    diagonal = jnp.sum(matrix * eye, axis=0)
    scale = jnp.where(diagonal > 0, jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 0.0)
    solve_scaled = definite_solver(jnp.where(eye > 0, 1 + 8 * eps, scale[:, None] * matrix * scale[None]))

    def solve(right: Array) -> Array:
        by_row = scale.reshape(-1, *(1,) * (right.ndim - 1))
        return by_row * solve_scaled(by_row * right)

    return solve
