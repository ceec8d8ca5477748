"""Whether slopes have faded so far that L-BFGS no longer sees where the cost falls.

On data that some coefficients separate, slopes fade as those grow, and with them both gradient and curvature, until
beside those of all other coefficients they are nothing and L-BFGS takes the rest for a minimum. What is left is that
there is no curvature. Conjugate gradients on the Hessian, for the sum of the examples whose slopes have faded, come
upon a direction without any in some ten products, or end without. A product is the change of the gradient over a short
way, so that the loop that descends makes these too, with the pass over the examples that is compiled for it.

That is a suspicion and no proof, and an algorithm that sees the whole Hessian should be asked. But constants that bring
down the scores whose slopes have faded for every example, as those of a class that is nobody's, can be proved.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._columns import positive
from ._descent import Value
from ._design import Design
from ._normal import dot, length


# How small a part of the sum is left at the end, and the most products.
_LEFT, _MOST = 1e-3, 60


class Search(NamedTuple):
    """Conjugate gradients: the sum, what is left of it, the direction to take next, the least curvature along one.

    `passes` are those made, of which the first is for the sum.
    """

    faded: Float[Array, "m k"]
    residual: Float[Array, "m k"]
    direction: Float[Array, "m k"]
    least: Float[Array, ""]
    passes: Int[Array, ""]

    @property
    def began(self) -> Bool[Array, ""]:
        """Whether the sum is known."""
        return self.passes > 0

    def unfinished(self, design: Design, value: Value) -> Bool[Array, ""]:
        """Whether, once it began, more passes are needed to know if some direction has no curvature at a value."""
        left = length(self.residual) > _LEFT * length(self.faded)
        return left & ~_held(design, value) & ~self.weak(design, value) & (self.passes <= _MOST)

    def weak(self, design: Design, value: Value) -> Bool[Array, ""]:
        """Whether there is a direction without curvature, at a value."""
        return jnp.any(self.constants(design)[:1] != 0) | (self.least <= _none(value))

    def constants(self, design: Design) -> Float[Array, "m k"]:
        """The coefficients of constants that bring down the scores whose slopes have faded for all examples, if any."""
        if not design.constants:
            return jnp.zeros_like(self.faded)
        whole = jnp.abs(self.faded[:1]) >= 1 - _little(self.least) / 2
        return jnp.zeros_like(self.faded).at[:1].set(jnp.where(whole, -jnp.sign(self.faded[:1]), 0.0))

    def probe(self, value: Value) -> Float[Array, "m k"]:
        """The coefficients at which the next gradient is needed."""
        return value.coefficients + self.direction / self._lengthened

    def after(self, value: Value, gradient: Array) -> "Search":
        """With the gradient there."""
        bent = (gradient - value.gradient) * self._lengthened
        along, square = dot(self.direction, bent), dot(self.residual, self.residual)
        residual = self.residual - square / jnp.where(along > 0, along, 1.0) * bent
        direction = residual + dot(residual, residual) / positive(square) * self.direction
        least = jnp.minimum(self.least, along / positive(dot(self.direction, self.direction)))
        # Equal changes of all scores may change nothing.
        apart = gradient - jnp.mean(gradient, axis=1, keepdims=True) if gradient.shape[1] > 1 else gradient
        begun = Search(gradient, apart, apart, self.least, self.passes)
        further = Search(self.faded, residual, direction, least, self.passes)
        chosen = jax.tree.map(lambda new, old: jnp.where(self.began, new, old), further, begun)
        return chosen._replace(passes=self.passes + 1)

    @property
    def _lengthened(self) -> Array:
        """How much longer the direction is than a short way."""
        return positive(length(self.direction) / jnp.finfo(self.least.dtype).eps ** (1 / 4))


def unsought(coefficients: Float[Array, "m k"]) -> Search:
    """Before the first pass."""
    zero = jnp.zeros_like(coefficients)
    return Search(zero, zero, zero, jnp.full_like(zero[0, 0], jnp.inf), jnp.array(0))


def faded(slopes: Float[Array, "k n"], value: Value) -> Float[Array, "k n"]:
    """The signs of slopes that have faded, 0 for the others."""
    small = _little(value.steep) * jnp.sqrt(value.steep)
    return jnp.where(jnp.abs(slopes) <= small, jnp.sign(slopes), 0.0)


def open_for(design: Design, value: Value, shares: Float[Array, " k"]) -> Bool[Array, ""]:
    """Whether some direction may have no curvature, where of each score the slopes of such shares have faded."""
    whole = jnp.any(shares >= 1 - _little(value.steep) / 2) if design.constants else False
    return whole | (jnp.any(shares > 0) & ~_held(design, value))


def _held(design: Design, value: Value) -> Bool[Array, ""]:
    """Whether the penalty bends all that it sees: no curvature of that is less than what the penalty's is at least."""
    norms = [dot(part, part) for part in (design.penalty, design.weights_of, design.spread)]
    return norms[0] > _none(value) * norms[1] * norms[2]


def _none(value: Value) -> Array:
    """A curvature that is none beside the mean square of the slopes, which at a minimum is about the curvature."""
    return _little(value.steep) * value.steep


def _little(like: Array) -> float:
    return float(jnp.finfo(like.dtype).eps) ** (3 / 8)
