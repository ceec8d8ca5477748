"""Normal equations whose matrix may be singular, or so badly scaled that a Cholesky factorisation would break down."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def normal_solver(matrix: Float[Array, "m m"]) -> Callable[[Float[Array, "m *k"]], Float[Array, "m *k"]]:
    """Solve with a matrix that is positive semi-definite up to rounding: `normal_solver(matrix)(right)`.

    It is scaled to a unit diagonal, to which a little is added; a row of zeros gives a solution of 0.
    """
    eye, eps = jnp.eye(matrix.shape[0], dtype=matrix.dtype), jnp.finfo(matrix.dtype).eps
    diagonal = jnp.sum(matrix * eye, axis=0)
    scale = jnp.where(diagonal > 0, jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 0.0)
    scaled = jnp.where(eye > 0, 1 + 8 * eps, scale[:, None] * matrix * scale[None])
    factor = jnp.linalg.cholesky(scaled)

    def solve(right: Array) -> Array:
        by_row = scale.reshape(-1, *(1,) * (right.ndim - 1))
        return by_row * jax.scipy.linalg.cho_solve((factor, True), by_row * right)

    return solve
