"""A piecewise-linear cost, as the interior point method and its certificate see it: straight lines that meet in kinks.

With u = t - A c an example costs `up` for each unit of u above 0 and `down` for each unit below; one with a dead zone
is the sum of two such terms, the kink of one at either end, each of which is level inside, and so is one with any
number of kinks: its slope changes by up + down in each. A row of A is the example in the basis of the design, for a
margin with the sign of its class.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from .. import losses
from ._normal import times
from ._traits import choices, rising_kinks, terms_of


# Of one residual or margin.
SCALAR = (
    losses.absolute_error,
    losses.quantile,
    losses.epsilon_insensitive,
    losses.absolute_percentage_error,
    losses.hinge,
    losses.perceptron,
)
# A sum over the entries of the prediction, each of which has its own coefficients.
BY_ENTRY = (losses.multi_quantile, losses.interval_score, losses.weighted_interval_score)
# The largest of several pieces that are linear in the scores of the classes.
BY_CLASS = (losses.crammer_singer, losses.weston_watkins, losses.multiclass_perceptron)


def kind_of(loss: losses.Loss) -> Callable | None:
    """Which loss of those above it is, but for factors, or the first of those that it is a sum of; None if none is.

    A choice among losses of one number that have the same kinks, whatever their hyperparameters, counts as the first.
    """
    terms = terms_of(loss)
    chosen = [term for each in terms for choice in choices(each) or [each] for term in terms_of(choice)]
    first, *others = map(losses.unbound, chosen)
    if len(chosen) > len(terms) and not _same_kinks([first, *others]):
        return None
    if others:
        return first if {first, *others} <= {*SCALAR} else None
    return first if first in (*SCALAR, *BY_ENTRY, *BY_CLASS) else None


def _same_kinks(several: list[Callable]) -> bool:
    first, *others = (losses.claims(each).kinks if each in SCALAR else None for each in several)
    return isinstance(first, tuple) and all(other == first for other in others)


class Lines(NamedTuple):
    """The terms of the examples, one or two of each: `up` is the slope where u = t - sign score > 0, else `down`."""

    sign: Float[Array, " n"]
    target: Float[Array, "terms n"]
    up: Float[Array, "terms n"]
    down: Float[Array, "terms n"]

    def cost(self, u: Float[Array, "terms n"]) -> Float[Array, ""]:
        """Σ s (up max(u, 0) + down max(-u, 0))."""
        return jnp.sum(jnp.where(u > 0, self.up, -self.down) * u)

    def size(self) -> Float[Array, ""]:
        """What the cost is summed from at the origin, in units of which its rounding is."""
        return jnp.sum(jnp.maximum(self.up, self.down) * jnp.abs(self.target))

    def steep(self, share: Float[Array, " n"]) -> Float[Array, ""]:
        """The mean square of the steepest slope of each example."""
        steepest = jnp.sum(jnp.maximum(self.up, self.down), axis=0)
        return jnp.sum(jnp.where(share > 0, steepest**2 / jnp.where(share > 0, share, 1.0), 0.0))


# The lines of some examples, from their shares and targets.
Given = Callable[[Array, Array], Lines]


class Problem(NamedTuple):
    """The lines, which are weighted by share, centred at the coefficients `centre` and in `unit`s; `square` is P'P."""

    basis: Float[Array, "m n"]  # A, transposed
    lines: Lines
    square: Float[Array, "m m"]
    centre: Float[Array, " m"]
    unit: Float[Array, ""]
    share: Float[Array, " n"]

    def total(self, c: Float[Array, " m"]) -> Float[Array, " m"]:
        """The coefficients in the basis of the design."""
        return self.centre + self.unit * c

    def cost(self, c: Float[Array, " m"]) -> Float[Array, ""]:
        """Σ s (up max(u, 0) + down max(-u, 0)) + |P c|²/2, in the problem's unit."""
        return self.cost_of(self.lines.target - (c @ self.basis)[None], c)

    def cost_of(self, u: Float[Array, "terms n"], c: Float[Array, " m"]) -> Float[Array, ""]:
        """The same, where u is known."""
        total = self.total(c)
        return self.lines.cost(u) + jnp.sum(total * times(self.square, total)) / (2 * self.unit)


def lines(
    loss: losses.Loss,
    share: Float[Array, " n"],
    targets: Shaped[Array, " n"],
    outputs: int | None = None,
    output: Int[Array, ""] | int = 0,
) -> Lines:
    """The lines of a loss, of which the slopes are measured between its kinks. Of several outputs, of one."""
    kinks, origin, sign = kinks_of(loss, share.dtype)[:, None], targets, jnp.ones_like(share)
    if losses.claims(loss).task == "binary":
        origin, sign = jnp.zeros_like(share), (2 * targets - 1).astype(share.dtype)
    # So far beyond that it is not lost beside a large target.
    beyond = 1 + jnp.max(jnp.abs(kinks)) + jnp.abs(origin)[None]
    among = (kinks[1:] + kinks[:-1]) / 2 + origin[None]
    places = sign[None] * jnp.concatenate([origin[None] - beyond, among, origin[None] + beyond])
    if outputs is not None:
        places = jnp.broadcast_to(places[:, :, None], (*places.shape, outputs))
    slopes = _slopes(loss, places, targets)
    slopes = share[None] * sign[None] * (slopes if outputs is None else slopes[..., output])
    falling, rising = jnp.maximum(-slopes, 0.0), jnp.maximum(slopes, 0.0)
    return Lines(sign, origin[None] + kinks, falling[:-1] - falling[1:], rising[1:] - rising[:-1])


def kinks_of(loss: losses.Loss, dtype: Any) -> Float[Array, " kinks"]:
    """The kinks of a loss in which its slope jumps up, in their order."""
    found = rising_kinks(loss)
    assert found
    traced = any(isinstance(kink, jax.core.Tracer) for kink in found)
    return jnp.sort(jnp.stack([jnp.asarray(kink, dtype) for kink in found])) if traced else jnp.asarray(found, dtype)


def _slopes(loss: losses.Loss, places: Float[Array, "places n *k"], targets: Shaped[Array, " n"]) -> Array:
    """The slopes of each example at its places."""
    # Traced once for all: tracing is a quarter of the time to compile.
    return jax.vmap(jax.vmap(jax.grad(loss)), in_axes=(0, None))(places, targets)
