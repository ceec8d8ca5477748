"""The cross-entropy of a label that each class could have given with a probability of its own."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from ._elementary import with_gradient
from ._softmax import centred, normalised, probabilities


def _posterior(logits: Array, share: Array) -> tuple[Array, Array]:
    """r_i = p_i t_i over its sum C, and -log C, both in logarithms: C itself may underflow.

    Counted from the largest logit of a class that could have given the label, as another may be far above. Where none
    that is left could, C is 0 and r what the shares alone say.
    """
    none = share == 0
    largest = jnp.max(jnp.where(none, -jnp.inf, logits))
    impossible = largest == -jnp.inf
    origin = jnp.where(impossible, 0.0, largest)
    joint = jnp.where(none, -jnp.inf, logits - origin + jnp.log(jnp.where(none, 1.0, share)))
    top = jax.lax.stop_gradient(jnp.where(impossible, 0.0, jnp.max(joint)))
    weights = jnp.where(impossible, share, jnp.exp(joint - top))
    total = jnp.sum(weights)
    cost = normalised(logits)[1] + (jnp.max(logits) - origin) - top - jnp.log(total)
    return weights / total, jnp.where(impossible, jnp.inf, cost)


def _news(p: Array, likeliest: Array, share: Array, cost: Array) -> tuple[Array, Array, Array]:
    """r / p and r / p - 1 = (t - C) / C, without a difference of near numbers; and whether C is far from underflow.

    It is where the likeliest class could have given the label.
    """
    possible = jnp.any(likeliest & (share > 0))
    total = jnp.where(possible, jnp.exp(-cost), 1.0)
    return share / total, centred(p, likeliest, share) / total, possible


def _mixed_by_share(logits: Array, share: Array) -> Array:
    """-p / C, also where both underflow."""
    log_p, most = jax.nn.log_softmax(logits), float(jnp.finfo(logits.dtype).max)
    masked = jnp.isneginf(log_p)
    ratio = jnp.exp(jnp.where(masked, 0.0, log_p) + mixed(logits, share))
    # Infinite where no class could have given the label; held finite, for a tangent of 0 would make it NaN.
    return -jnp.where(masked, 0.0, jnp.minimum(ratio, most))


@jax.custom_jvp
def _mixed_slope(logits: Array, share: Array) -> Array:
    """p - r."""
    p, likeliest = probabilities(logits)
    posterior, cost = _posterior(logits, share)
    _, news, possible = _news(p, likeliest, share, cost)
    return jnp.where(possible, -p * news, p - posterior)


@functools.partial(_mixed_slope.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    (logits, share), (d, ds) = primals, tangents
    slope = jnp.zeros_like(logits)
    if not isinstance(d, SymbolicZero):
        slope += _mixed_bend(logits, share, d)
    if not isinstance(ds, SymbolicZero):
        # -r_i (ds_i / t_i - sum_j r_j ds_j / t_j).
        change = _mixed_by_share(logits, share) * ds
        slope += change + (_mixed_slope(logits, share) - probabilities(logits)[0]) * jnp.sum(change)
    return _mixed_slope(logits, share), slope


def _mixed_bend(logits: Array, share: Array, d: Array) -> Array:
    """p (d - <d>_p) - r (d - <d>_r).

    With r = p (1 + u) and the centred c = d - <d>_p, it is p ((1 + u) <u c>_p - u c).
    """
    p, likeliest = probabilities(logits)
    posterior, cost = _posterior(logits, share)
    ratio, news, possible = _news(p, likeliest, share, cost)
    along, known = centred(p, likeliest, d), jnp.arange(logits.size) == jnp.argmax(posterior)
    near = ratio * jnp.sum(p * news * along) - news * along
    far = p * along - posterior * centred(posterior, known, d)
    return jnp.where(possible, p * near, far)


@with_gradient(_mixed_slope, _mixed_by_share)
def mixed(logits: Array, share: Array) -> Array:
    """-log sum_i p_i t_i for p = softmax(z)."""
    p, _ = probabilities(logits)
    missing = jnp.sum(p * (1 - share))
    small = missing < 0.5
    return jnp.where(small, -jnp.log1p(-jnp.where(small, missing, 0.0)), _posterior(logits, share)[1])
