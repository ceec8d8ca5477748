"""What the losses of a softmax are made of, exact where it is saturated: the cross-entropy and its derivatives.

-inf is a legal logit: a masked class, of probability 0.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

from ._arguments import non_negative, times
from ._elementary import differentiated_by, excess, sums


def normalised(logits: Array) -> tuple[Array, Array]:
    """z - M and log1p(R), with M the largest logit and R the sum of exp(z_j - M) over the others.

    -log softmax(z) is log1p(R) - (z - M), a sum of two numbers that are not negative: the small loss of a
    confident, right prediction is R itself.
    """
    shifted = logits - jnp.max(logits)
    zero, one = jnp.zeros((), logits.dtype), jnp.ones((), logits.dtype)
    largest = shifted == 0
    others, count = sums(jnp.where(largest, zero, jnp.exp(shifted)), jnp.where(largest, one, zero))
    return shifted, jnp.log1p(others + (count - 1))


@jax.custom_jvp
def cross_entropy(logits: Array, y: Array) -> Array:
    """-sum_i y_i log softmax(z)_i, for y non-negative; NaN if an entry of y is negative."""
    y = non_negative(y)
    shifted, normaliser = normalised(logits)
    return jnp.sum(times(y, normaliser - shifted))


@functools.partial(cross_entropy.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    (logits, y), (dlogits, dy) = primals, tangents
    slope = jnp.zeros((), logits.dtype)
    if not isinstance(dlogits, SymbolicZero):
        slope += jnp.sum(error_of(logits, y) * dlogits)
    if not isinstance(dy, SymbolicZero):
        surprise = jax.vmap(lambda one: cross_entropy(logits, one))(jnp.eye(logits.size, dtype=logits.dtype))
        slope += jnp.sum(surprise * dy)
    return cross_entropy(logits, y), slope


@jax.custom_jvp
def error_of(logits: Array, y: Array) -> Array:
    """Y p_i - y_i, with Y the sum of y; at the likeliest class as (Y - y_i) - Y (1 - p_i).

    With R the sum of exp(z_j - M) over all others, 1 - p is R / (1 + R) there. What rounds to 1 counts as largest;
    where several do, R is no small number, and the sum over all less 1. Three sums and one exponential are all.
    """
    weights = jnp.exp(logits - jnp.max(logits))
    largest = weights == 1
    others, total, mass = sums(jnp.where(largest, jnp.zeros_like(weights), weights), weights, non_negative(y))
    rest = jnp.where(total - others > 1.5, total - 1, others)
    scale = mass / (1 + rest)
    return jnp.where(largest, (mass - y) - scale * rest, scale * weights - y)


@error_of.defjvp
def _(primals, tangents):
    # Y p_i (d_i - sum_j p_j d_j) - dy_i + p_i dY.
    (logits, y), (d, dy) = primals, tangents
    p, likeliest = probabilities(logits)
    return error_of(logits, y), jnp.sum(y) * p * centred(p, likeliest, d) + p * jnp.sum(dy) - dy


def probabilities(logits: Array) -> tuple[Array, Array]:
    """softmax(z), and which entry is the likeliest (the first of equals)."""
    weights = jnp.exp(logits - jax.lax.stop_gradient(jnp.max(logits)))
    return weights / jnp.sum(weights), jnp.arange(logits.size) == jnp.argmax(logits)


def centred(p: Array, likeliest: Array, x: Array) -> Array:
    """x less its mean under p. Counted from the likeliest entry, whose own term is then exactly 0: nothing cancels."""
    # The 0 is stated, so that the transpose does not subtract what should cancel either.
    away = jnp.where(likeliest, 0.0, x - jnp.sum(jnp.where(likeliest, x, 0.0)))
    return away - jnp.sum(p * away)


@differentiated_by(lambda cost: jnp.exp(-cost))
def missed(cost: Array) -> Array:
    """1 - p for a class of probability p = exp(-cost)."""
    return -jnp.expm1(-cost)


@differentiated_by(missed)
def surplus(cost: Array) -> Array:
    """-log p - (1 - p) for a class of probability p = exp(-cost)."""
    return excess(-cost)
