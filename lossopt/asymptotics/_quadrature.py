"""Integrals over the whole line of functions that may have kinks and jumps at unknown places.

Clenshaw and Curtis's rule on panels of u, where x = sinh(u); the worst panels are halved until the sum of the error
estimates is rounding. The number of panels has a fixed bound, so it compiles, and maps. Out where the panels end x is
the fifth root of the largest float, and what is not 0 by then is a power of x: exponential in u, so its tail is known.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


# A function of n points -> m integrands at each.
Integrands = Callable[[Float[Array, " n"]], Float[Array, "n m"]]

HALVINGS, AT_ONCE = 52, 8

# Denser towards 0, where a small threshold may hide. The last is that of the default float's range.
_SIDE = [0.0, *0.5 ** np.arange(12, 0, -2), *np.arange(1, 7) / 2, 4.0, 6.0, 9.0, 13.0]
# The least rate at which a tail, in u, is told from one that does not fall.
_FLAT = 1e-3


def _rules(eps: float, n: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of Clenshaw and Curtis's rule of n + 1 points on (-1, 1), its weights, and those by every other node.

    The outermost nodes are the ends but for rounding, where a kink may lie: a jump has nodes on both sides of it, and
    moves one rule by more than the other. The weights are those that integrate the Legendre polynomials exactly.
    """
    nodes = -(1 - 4 * eps) * np.cos(np.pi * np.arange(n + 1) / n)

    def exact(nodes: np.ndarray) -> np.ndarray:
        legendre = np.polynomial.legendre.legvander(nodes, nodes.size - 1)
        return np.linalg.solve(legendre.T, 2.0 * (np.arange(nodes.size) == 0))

    coarse = np.zeros(n + 1)
    coarse[::2] = exact(nodes[::2])
    return nodes, exact(nodes), coarse


class _Panels(NamedTuple):
    low: Array
    high: Array
    integral: Array
    error: Array
    used: Array
    rounds: Array


def integrate(integrands: Integrands) -> Float[Array, " m"]:
    """The integrals of m functions from -inf to inf, to near the rounding of the default float; inf if they diverge."""
    dtype = jnp.result_type(float)
    tolerance = 8 * float(jnp.finfo(dtype).eps)
    end = 0.2 * float(np.log(jnp.finfo(dtype).max))
    side = [*_SIDE, end]
    edges = jnp.asarray([*(-edge for edge in reversed(side[1:])), *side], dtype)
    low, high = edges[:-1], edges[1:]
    start = low.size

    def by_u(u: Array) -> Array:
        return integrands(jnp.sinh(u)) * jnp.cosh(u)[:, None]

    room = (0, HALVINGS * AT_ONCE)
    integral, error = _rule(by_u, low, high)
    panels = _Panels(
        jnp.pad(low, room), jnp.pad(high, room), jnp.pad(integral, (room, (0, 0))), jnp.pad(error, (room, (0, 0))),
        jnp.int32(start), jnp.int32(0),
    )  # fmt: skip

    def unsettled(panels: _Panels) -> Array:
        size = jnp.abs(jnp.sum(panels.integral, axis=0))
        return (panels.rounds < HALVINGS) & jnp.any(jnp.sum(panels.error, axis=0) > tolerance * size)

    def halve(panels: _Panels) -> _Panels:
        size = jnp.maximum(jnp.abs(jnp.sum(panels.integral, axis=0)), jnp.finfo(dtype).tiny)
        _, worst = jax.lax.top_k(jnp.max(panels.error / size[None], axis=1), AT_ONCE)
        middle = (panels.low[worst] + panels.high[worst]) / 2
        new = panels.used + jnp.arange(AT_ONCE, dtype=jnp.int32)
        lows, highs = jnp.stack([panels.low[worst], middle]), jnp.stack([middle, panels.high[worst]])
        integral, error = _rule(by_u, lows.ravel(), highs.ravel())
        places = jnp.concatenate([worst, new])
        return _Panels(
            panels.low.at[places].set(lows.ravel()), panels.high.at[places].set(highs.ravel()),
            panels.integral.at[places].set(integral), panels.error.at[places].set(error),
            panels.used + AT_ONCE, panels.rounds + 1,
        )  # fmt: skip

    return jnp.sum(jax.lax.while_loop(unsettled, halve, panels).integral, axis=0) + _tails(by_u, end)


def _tails(by_u: Integrands, end: float) -> Array:
    """The integrals outside of (-end, end) of functions that are exponential there."""
    far = by_u(jnp.asarray([end, -end]))
    rate = jnp.log(by_u(jnp.asarray([end / 2, -end / 2])) / far) * 2 / end
    return jnp.sum(jnp.where(far == 0, 0.0, far / jnp.where(rate > _FLAT, rate, 0.0)), axis=0)


def _rule(integrands: Integrands, low: Array, high: Array) -> tuple[Array, Array]:
    """Integral and error estimate on each of p panels, both (p, m)."""
    nodes, weights, coarse = (jnp.asarray(a, low.dtype) for a in _rules(float(jnp.finfo(low.dtype).eps)))
    half = (high - low)[:, None] / 2
    u = low[:, None] + half * (1 + nodes[None])
    f = integrands(u.ravel()).reshape(*u.shape, -1) * half[..., None]
    fine = jnp.einsum("pnm,n->pm", f, weights)
    return fine, jnp.abs(fine - jnp.einsum("pnm,n->pm", f, coarse))
