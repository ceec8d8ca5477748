"""The certificate that a classification cost has no finite minimiser.

A convex cost has none if it falls for ever along some direction v. Far along v the slope of example i is its recession
slope ρ_i(a) = lim a·∇loss_i(t a), with a = rows_i v; where the loss vanishes on the right side (logistic, softmax),
ρ_i ≥ 0, and the cost falls for ever exactly if ρ_i = 0 for all i and v is not penalised: v separates the classes,
strictly (complete separation) or with some examples on the boundary (quasi-complete; Albert and Anderson 1984).

Newton's steps supply v: on separable data they tend to such a direction geometrically, while the scores grow by about
1 a step. Terms of all scores that are nothing beside the largest are taken for what is left of the way there. Then one
step that passes is proof, up to a tolerance: of each example relative to the size of the terms of its own score, for
beside one value of 1e12 all other scores are small, but not nothing. The tolerance is for scores alone: a soft target
that is all but hard has a slope that is small, but not 0. Of a loss that is bounded all slopes fade: its examples must
also cost no more there than at scores of 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._blocks import Fold
from ._branch import only_if
from ._columns import Columns
from ._descent import Cost
from ._design import Design


# So far out that slopes have reached their limit, yet a square is still finite in float32. A power of two, for the
# product with it must be exact: fused into the loss's own subtraction of the largest logit it would leave rounding.
_FAR = 2.0**60


def falls_for_ever(cost: Cost, direction: Float[Array, "m k"], suspicious: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a direction, in coefficients, proves that the cost has no finite minimiser; looked at if suspicious."""
    design = cost.design
    eps = jnp.finfo(direction.dtype).eps
    # A slope may be small and not rounding: that of a target which is all but hard.
    tolerance, noise = eps ** (2 / 3), 8 * eps

    def recession(score: Array, target: Array) -> Array:
        far, slopes = jax.value_and_grad(cost.loss)(_FAR * score, target)
        slope = slopes @ score
        # The slope of an example that has gone the wrong way fades as well, if the loss is bounded.
        near = cost.loss(0 * score, target)
        return jnp.where(far > near + jnp.sqrt(eps) * jnp.abs(near), jnp.inf, slope)

    def proved(direction: Array) -> Array:
        extent = _extent(design)
        size = jnp.concatenate([extent, jnp.ones_like(extent[:1])])[:, None] * jnp.abs(_stacked(design, direction))
        whole = jnp.max(size)
        counts, unit = size > tolerance * whole, direction / jnp.where(whole > 0, whole, 1.0)
        weights, bias = jnp.split(jnp.where(counts, _stacked(design, unit), 0.0), [extent.size])
        inner = jnp.abs(design.inner(unit))

        def of_block(basis: Columns, share: Array, targets: Array, *table: Array) -> Fold:
            (rows,) = table or (basis.table.T * design.size[None] + design.centre[None],)
            scores = (rows @ weights + bias).T
            # Either way of writing a score down may have the larger terms: columns may be far from 0.
            terms = jnp.minimum((jnp.abs(rows) @ jnp.abs(weights) + jnp.abs(bias)).T, basis.absolute.scores(inner))
            small, counted = tolerance * jnp.max(terms, axis=0), share > 0
            largest = jnp.max(jnp.abs(scores), axis=0)
            # A loss that grows like e^score would make infinitely much of what is only rounding of a score.
            rising = jax.vmap(recession, in_axes=(1, 0))(_settled(scores, small), targets)
            rises, moves = counted & ~(rising <= noise * largest), counted & (largest > small)
            return Fold((), (jnp.any(rises), jnp.any(moves)))

        table = () if design.formed is None else (design.features,)
        rises, moves = design.fold(of_block, cost.targets, *table).largest
        penalised = jnp.max(jnp.abs(design.penalty @ unit), initial=0.0)
        return ~rises & moves & (penalised <= tolerance)

    return only_if(suspicious, proved, (direction,), jnp.array(False))


def _extent(design: Design) -> Float[Array, " d"]:
    """The largest number in each column of the features, or a bit more."""
    if design.formed is None:
        return jnp.abs(design.centre) + design.size
    return jnp.max(jnp.where(design.share[:, None] > 0, jnp.abs(design.features), 0.0), axis=0)


def _settled(scores: Float[Array, "k n"], small: Float[Array, " n"]) -> Float[Array, "k n"]:
    """Scores of which those that are 0, or the largest, up to so much are so exactly: slopes are then those of ties."""
    scores = jnp.where(jnp.abs(scores) <= small[None], 0.0, scores)
    largest = jnp.max(scores, axis=0, keepdims=True)
    return jnp.where(largest - scores <= small[None], largest, scores)


def _stacked(design: Design, coefficients: Array) -> Array:
    """Weights, with the bias or 0 in the last row."""
    weights, bias = design.decode(coefficients)
    return jnp.concatenate([weights, jnp.zeros_like(weights[:1]) if bias is None else bias[None]])
