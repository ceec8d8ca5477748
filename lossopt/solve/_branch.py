"""A branch that costs nothing where it is not taken, in a batch too."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def only_if(condition: Array, fn: Callable[..., Any], arguments: tuple, otherwise: Any) -> Any:
    """`fn(*arguments)` if the condition holds, else `otherwise`: in a batch `fn` runs only if it holds for one.

    A loop of one pass or none, where `cond` would always compute both. The arguments are in its state, and changed by
    it, so that nothing that depends on them moves out of the loop.
    """

    def run(state: tuple) -> tuple:
        _, arguments, _ = state
        return jnp.array(False), jax.tree.map(jnp.zeros_like, arguments), fn(*arguments)

    return jax.lax.while_loop(lambda state: state[0], run, (condition, arguments, otherwise))[2]
