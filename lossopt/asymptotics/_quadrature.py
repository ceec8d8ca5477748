"""Integrals over the whole line of functions that may have kinks and jumps at unknown places.

Gauss and Kronrod's rule on panels of t in (-1, 1), where x = t / (1 - t**2); the worst panels are halved until the
sum of the error estimates is rounding. The number of panels has a fixed bound, so it compiles, and maps.
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

# Denser towards 0, where a small threshold may hide.
_SIDE = [0.0, *0.5 ** np.arange(12, 5, -2), *np.arange(1, 4) / 32, *np.arange(1, 9) / 8]
EDGES = np.array([*(-edge for edge in reversed(_SIDE[1:])), *_SIDE])


def _kronrod(n: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of the 2n + 1 points' rule on (-1, 1), its weights, and those of Gauss's rule (0 at nodes not its own).

    The n + 1 nodes added are the roots of Stieltjes' polynomial E: the Legendre polynomial P_n times E is orthogonal to
    all of degree n and less. The weights are those that integrate the Legendre polynomials exactly.
    """
    legendre = np.polynomial.legendre
    gauss, share = legendre.leggauss(n)
    x, w = legendre.leggauss(2 * n + 2)
    basis = legendre.legvander(x, n + 1)
    products = basis[:, : n + 1].T @ ((w * basis[:, n])[:, None] * basis)
    lower = np.linalg.lstsq(products[:, : n + 1], -products[:, n + 1], rcond=None)[0]
    nodes = np.sort(np.concatenate([gauss, legendre.legroots([*lower, 1.0])]))
    weights = np.linalg.solve(legendre.legvander(nodes, 2 * n).T, 2.0 * (np.arange(2 * n + 1) == 0))
    coarse = np.zeros(2 * n + 1)
    coarse[1::2] = share
    return nodes, weights, coarse


class _Panels(NamedTuple):
    low: Array
    high: Array
    integral: Array
    error: Array
    used: Array
    rounds: Array


def integrate(integrands: Integrands) -> Float[Array, " m"]:
    """The integrals of m functions from -inf to inf, to near the rounding of the default float."""
    dtype = jnp.result_type(float)
    tolerance = 8 * float(jnp.finfo(dtype).eps)
    low, high = jnp.asarray(EDGES[:-1], dtype), jnp.asarray(EDGES[1:], dtype)
    start = len(EDGES) - 1
    room = (0, HALVINGS * AT_ONCE)
    integral, error = _rule(integrands, low, high)
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
        integral, error = _rule(integrands, lows.ravel(), highs.ravel())
        places = jnp.concatenate([worst, new])
        return _Panels(
            panels.low.at[places].set(lows.ravel()), panels.high.at[places].set(highs.ravel()),
            panels.integral.at[places].set(integral), panels.error.at[places].set(error),
            panels.used + AT_ONCE, panels.rounds + 1,
        )  # fmt: skip

    return jnp.sum(jax.lax.while_loop(unsettled, halve, panels).integral, axis=0)


def _rule(integrands: Integrands, low: Array, high: Array) -> tuple[Array, Array]:
    """Integral and error estimate on each of p panels, both (p, m)."""
    nodes, weights, coarse = (jnp.asarray(a, low.dtype) for a in _kronrod())
    half = (high - low)[:, None] / 2
    t = low[:, None] + half * (1 + nodes[None])
    gap = (1 - t) * (1 + t)
    f = integrands((t / gap).ravel()).reshape(*t.shape, -1) * ((half * (1 + t * t)) / gap**2)[..., None]
    fine = jnp.einsum("pnm,n->pm", f, weights)
    return fine, jnp.abs(fine - jnp.einsum("pnm,n->pm", f, coarse))
