"""A piecewise-linear cost, as the interior point method and its certificate see it: straight lines that meet in kinks.

With u = t - A c an example costs `up` for each unit of u above 0 and `down` for each unit below; one with a dead zone
is the sum of two such terms, the kink of one at either end, each of which is level inside. A row of A is the example
in the basis of the design, for a margin with the sign of its class.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from .. import losses
from ._normal import times
from ._traits import terms_of


SCALAR = (
    losses.absolute_error,
    losses.quantile,
    losses.epsilon_insensitive,
    losses.absolute_percentage_error,
    losses.hinge,
    losses.perceptron,
)
# Those of a residual with one kink, at a perfect fit, of which a sum has the same.
_ONE_KINK = (losses.absolute_error, losses.quantile, losses.absolute_percentage_error)
# A sum over the entries of the prediction, each of which has its own coefficients.
BY_ENTRY = (losses.multi_quantile, losses.interval_score, losses.weighted_interval_score)
# The largest of several pieces that are linear in the scores of the classes.
BY_CLASS = (losses.crammer_singer, losses.weston_watkins, losses.multiclass_perceptron)


def kind_of(loss: losses.Loss) -> Callable | None:
    """Which loss of those above it is, but for factors, or has the kink of; None if it is no such."""
    terms = terms_of(loss)
    first, *others = map(losses.unbound, terms)
    # Of several classes there are no factors yet.
    known = first in (*SCALAR, *BY_ENTRY) or (first in BY_CLASS and loss is terms[0])
    alike = not others or all(kind in _ONE_KINK for kind in (first, *others))
    return first if known and alike else None


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
    """The lines of a loss, of which the slopes are measured beyond its kinks. Of several outputs, of one."""
    core = terms_of(loss)[0]
    card, sign = losses.claims(core), jnp.ones_like(share)
    if card.task == "binary":
        assert isinstance(card.kinks, tuple)
        sign, (kink,) = (2 * targets - 1).astype(share.dtype), card.kinks
        up, down = _steepness(loss, jnp.stack([sign * (kink - 1), sign * (kink + 1)]), targets, share)
        return Lines(sign, jnp.full_like(sign, kink)[None], up[None], down[None])
    reach = jnp.asarray(losses.hyperparameters(core).get("epsilon", 0.0), share.dtype)
    entries = targets if outputs is None else jnp.broadcast_to(targets[:, None], (targets.size, outputs))
    # So far beyond that it is not lost beside a large target.
    beyond = 1 + reach + jnp.abs(entries)
    up, down = _steepness(loss, jnp.stack([entries - beyond, entries + beyond]), targets, share)
    if outputs is not None:
        up, down = up[output], down[output]
    if losses.unbound(core) is not losses.epsilon_insensitive:
        return Lines(sign, targets[None], up[None], down[None])
    ends, level = jnp.stack([targets - reach, targets + reach]), jnp.zeros_like(up)
    return Lines(sign, ends, jnp.stack([up, level]), jnp.stack([level, down]))


def _steepness(loss: losses.Loss, predictions: Array, targets: Array, share: Array) -> Array:
    """The share of each slope at several predictions for every example, the examples last."""

    def of_one(at: Array, target: Array, share: Array) -> Array:
        return share * jnp.abs(jax.grad(loss)(at, target))

    # Traced once for all: tracing is a quarter of the time to compile.
    of_all = jax.vmap(jax.vmap(of_one, out_axes=-1), in_axes=(0, None, None))
    return of_all(predictions, targets, share)
