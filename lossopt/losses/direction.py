"""The loss of a direction: two vectors, of which only the angle between them counts."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Float

from ._arguments import floats, Vector
from ._card import LossCard
from ._elementary import sums
from ._register import register


class _Pair(NamedTuple):
    """Both vectors over their largest entries, their squared lengths then, and what was divided out of the first.

    The first is 0 where it is `nowhere`, and then of squared length 1. `across` is the second less the multiple of the
    first that leaves 0 where the first is largest, and `along` the product of the first with that.
    """

    a: Array
    b: Array
    a_square: Array
    b_square: Array
    size: Array
    across: Array
    along: Array
    nowhere: Array


def _pair(prediction: Array, target: Array) -> _Pair:
    first, other = jnp.argmax(jnp.abs(prediction)), jnp.max(jnp.abs(target))
    leader = prediction[first]
    nowhere = leader == 0
    size = jnp.where(nowhere, 1.0, jnp.abs(leader))
    a, b = prediction / size, target / other
    pivot = (jnp.arange(prediction.size) == first) & ~nowhere
    level = jnp.sign(leader) * (target[first] / other)
    across = jnp.where(pivot, 0.0, b - a * level)
    a_square, b_square, along = sums(a * a, b * b, a * across)
    return _Pair(a, b, jnp.where(nowhere, 1.0, a_square), b_square, size, across, along, nowhere)


@jax.custom_jvp
def _cosine_distance(prediction: Array, target: Array) -> Array:
    at = _pair(prediction, target)
    apart = at.a / jnp.sqrt(at.a_square) - at.b / jnp.sqrt(at.b_square)
    # Equal vectors are 0 apart, whatever the compiler does with the sums in their lengths.
    apart = jnp.where(jnp.all(prediction == target), 0.0, apart)
    return jnp.where(at.nowhere, 1 + 0 * at.b_square, jnp.sum(apart * apart) / 2)


@functools.partial(_cosine_distance.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    # The two arguments may be exchanged, and so may their slopes; but a prediction of 0 costs 1 whatever the target.
    (prediction, target), slope = primals, jnp.zeros((), primals[0].dtype)
    if _asked(tangents[0]):
        slope += jnp.sum(_turn(prediction, target) * tangents[0])
    if _asked(tangents[1]):
        slope += jnp.sum(jnp.where(jnp.all(prediction == 0), 0.0, _turn(target, prediction)) * tangents[1])
    return _cosine_distance(prediction, target), slope


def _asked(tangent: Any) -> bool:
    return not isinstance(tangent, SymbolicZero)


@jax.custom_jvp
def _turn(prediction: Array, target: Array) -> Array:
    """The slope: minus the part of the target's direction across the prediction, over the prediction's length."""
    at = _pair(prediction, target)
    across = at.across - at.a * (at.along / at.a_square)
    return -across / jnp.sqrt(at.a_square * at.b_square) / at.size


@functools.partial(_turn.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    # With c the cosine, n the length and P the part across a: P dy c / n - a (g . d) - g (a . d), d the tangent over n.
    (a, n, nowhere), (b, other, _) = (_direction(primal) for primal in primals)
    g, change = _turn(*primals), jnp.zeros_like(a)
    if _asked(tangents[0]):
        d = tangents[0] / n
        bend = jnp.sum(a * b) * _across(a, d) / n - a * jnp.sum(g * d) - g * jnp.sum(a * d)
        change += jnp.where(nowhere, 0 * b, bend)
    if _asked(tangents[1]):
        moved = _across(b, tangents[1]) / other
        change += (a * jnp.sum(a * moved) - moved) / n
    return g, change


def _direction(vector: Array) -> tuple[Array, Array, Array]:
    """A vector over its length, its length, and whether it is 0, whose length is called 1."""
    largest = jnp.max(jnp.abs(vector))
    nowhere = largest == 0
    size = jnp.where(nowhere, 1.0, largest)
    length = jnp.where(nowhere, 1.0, jnp.sqrt(jnp.sum((vector / size) ** 2)))
    return vector / size / length, size * length, nowhere


def _across(a: Array, d: Array) -> Array:
    """d less its part along the unit vector a; first less a multiple of a that leaves no entry where a is largest."""
    largest = jnp.argmax(jnp.abs(a)) == jnp.arange(a.size)
    most = jnp.sum(jnp.where(largest, a, 0.0))
    ratio = jnp.sum(jnp.where(largest, d, 0.0)) / jnp.where(most == 0, 1.0, most)
    d = jnp.where(largest, 0.0, d - a * ratio)
    return d - a * jnp.sum(a * d)


@register(
    LossCard(
        task="regression",
        prediction="vector",
        target="direction",
        formula=r"1 - \frac{\langle \hat y, y\rangle}{\|\hat y\| \|y\|}",
        least_curvature=-math.inf,
        supremum=2.0,
        redescending=True,
        symmetric=False,
        origin=2,
        tails="constant",
        elicits="mean direction",
        aliases={"optax.losses.cosine_distance": 1.0},
        reference="Mardia (1972)",
    )
)
def cosine_distance(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """One minus the cosine of the angle between two vectors: lengths do not count. 0 is parallel, 2 opposite.

    Formula: `1 - <yhat, y> / (|yhat| |y|)`, computed as half the squared distance between the two unit vectors, which
    keeps its digits where they are nearly parallel; each is first divided by its largest entry, so that no square
    overflows. The slope has the size `sin(angle) / |yhat|`. A prediction of 0 has no direction: its loss is 1, that of
    a right angle, and as its slope minus the target's direction is chosen, so that a model that starts from 0 leaves it
    the right way. scipy.spatial.distance.cosine and optax have the same factor.

    Args:
        prediction: (k,) real numbers. target: (k,) real numbers, not all 0. The loss has no unit.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Mardia (1972), Statistics of Directional Data.
    """
    prediction, target = floats(prediction, target)
    if prediction.ndim != 1 or prediction.shape != target.shape:
        raise ValueError(
            f"cosine_distance takes two vectors of one length, not shapes {prediction.shape} and {target.shape}."
        )
    return _cosine_distance(prediction, target)
