"""What one trace says: how far from the minimum, when it was near, how fast it got there.

Functions of a single trace (see `train.Info`), pure and safe under `jit`; `vmap` them over many.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float


Scalar = Float[ArrayLike, ""]


def suboptimality(costs: Float[Array, " steps"], minimum: Scalar) -> Float[Array, " steps"]:
    """How far each cost lies above the minimum; 0 where rounding puts it below. NaN and infinite costs stay so.

    Formula: `max(costs - minimum, 0)`.

    Args:
        costs: the objective after 0, 1, 2, ... steps.
        minimum: the exact minimum of the same objective, from `lossopt.solve`.
    """
    above = costs - jnp.asarray(minimum, costs.dtype)
    return jnp.where(above < 0, 0.0, above)


def steps_to(costs: Float[Array, " steps"], minimum: Scalar, tolerance: Scalar) -> Float[Array, ""]:
    """The number of steps after which the cost is first within `tolerance` of the minimum; inf if it never is.

    A float, so that a median over seeds is right where some of them never arrive. A trace that
    oscillates may leave the tolerance again.

    Args:
        costs: the objective after 0, 1, 2, ... steps.
        minimum: the exact minimum of the same objective.
        tolerance: in the unit of the cost, at least 0.
    """
    near = suboptimality(costs, minimum) <= jnp.asarray(tolerance, costs.dtype)
    return jnp.where(jnp.any(near), jnp.argmax(near).astype(costs.dtype), jnp.inf)


def rate(suboptimality: Float[Array, " steps"], *, tail: float = 0.5, floor: float | None = None) -> Float[Array, ""]:
    """The factor by which the suboptimality shrinks in one step, in the tail: below 1 it converges linearly.

    Formula: `exp(b)`, where b is the least-squares slope of log suboptimality against the step.

    The rows used are the last `tail` of those before the suboptimality first falls to `floor` times its first
    value, because beyond that it is rounding. NaN where fewer than two rows are left, as in a trace that starts
    at the minimum.

    Args:
        suboptimality: from the function of that name.
        tail: the share of the usable rows, in (0, 1].
        floor: relative to the first value; None takes 10 000 times the precision of the dtype.
    """
    dtype = suboptimality.dtype
    steps = jnp.arange(suboptimality.size, dtype=dtype)
    lowest = 1e4 * jnp.finfo(dtype).eps if floor is None else floor
    above = (suboptimality > jnp.asarray(lowest, dtype) * suboptimality[0]) & jnp.isfinite(suboptimality)
    usable = jnp.cumprod(above, dtype=dtype)
    weights = jnp.where(steps >= (1 - tail) * (jnp.sum(usable) - 1), usable, 0.0)
    heights = jnp.log(jnp.where(weights > 0, suboptimality, 1.0))
    return jnp.exp(_slope(steps, heights, weights))


def _slope(x: Array, y: Array, weights: Array) -> Array:
    rows = jnp.sum(weights)
    enough = rows > 1
    centred = weights * (x - jnp.sum(weights * x) / jnp.where(enough, rows, 1.0))
    return jnp.where(enough, jnp.sum(centred * y) / jnp.where(enough, jnp.sum(centred**2), 1.0), jnp.nan)
