"""A cost of two straight lines an example, as the interior point method and its certificate see it."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Lines(NamedTuple):
    """The examples as two lines each: `up` is the slope where u = t - A c > 0, `down` the slope where u < 0."""

    basis: Float[Array, "m n"]  # A, transposed
    target: Float[Array, " n"]
    up: Float[Array, " n"]
    down: Float[Array, " n"]


class Problem(NamedTuple):
    """The lines, weighted by share, centred at the coefficients `centre` and in units of `unit`; `square` is P'P."""

    lines: Lines
    square: Float[Array, "m m"]
    centre: Float[Array, " m"]
    unit: Float[Array, ""]
    used: Bool[Array, " n"]

    def total(self, c: Float[Array, " m"]) -> Float[Array, " m"]:
        """The coefficients in the basis of the design."""
        return self.centre + self.unit * c

    def cost(self, c: Float[Array, " m"]) -> Float[Array, ""]:
        """Σ s (up max(u, 0) + down max(-u, 0)) + |P c|²/2, in the problem's unit."""
        return self.cost_of(self.lines.target - c @ self.lines.basis, c)

    def cost_of(self, u: Float[Array, " n"], c: Float[Array, " m"]) -> Float[Array, ""]:
        """The same, where u is known."""
        _, _, up, down = self.lines
        total = self.total(c)
        return jnp.sum(jnp.where(u > 0, up, -down) * u) + total @ (self.square @ total) / (2 * self.unit)
