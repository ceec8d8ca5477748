"""A share of the rows, chosen at random: the number is exact, and a larger share contains a smaller one."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PRNGKeyArray

from ._dataset import known, Scalar


def choose(key: PRNGKeyArray, n: int, share: Scalar, *, name: str) -> Bool[Array, " n"]:
    """True in `round(share * n)` of `n` rows (a half rounds to even), the first ones of one random order.

    The order depends on `key` and `n` alone, not on a precision. `share` may be traced; one that is not, and lies
    outside [0, 1], raises a `ValueError` that calls it `name`.
    """
    if (value := known(name, share)) is not None and not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1] but is {share}.")
    order = jax.random.permutation(key, n)
    return order < jnp.round(jnp.asarray(share, jnp.result_type(float)) * n).astype(order.dtype)
