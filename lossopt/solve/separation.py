"""The certificate that a classification cost has no finite minimiser.

A convex cost has none if it falls for ever along some direction v. Far along v the slope of example i is its recession
slope ρ_i(a) = lim a·∇loss_i(t a), with a = rows_i v; where the loss vanishes on the right side (logistic, softmax),
ρ_i ≥ 0, and the cost falls for ever exactly if ρ_i = 0 for all i and v is not penalised: v separates the classes,
strictly (complete separation) or with some examples on the boundary (quasi-complete; Albert and Anderson 1984).

Newton's steps supply v: on separable data they tend to such a direction geometrically, while the scores grow by about
1 a step. One step that passes is proof, up to rounding of the relative size of the tolerance.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._blocks import Fold
from ._branch import only_if
from ._columns import Columns
from ._descent import Cost


# So far out that slopes have reached their limit, yet a square is still finite in float32. A power of two, for the
# product with it must be exact: fused into the loss's own subtraction of the largest logit it would leave rounding.
_FAR = 2.0**60


def falls_for_ever(cost: Cost, direction: Float[Array, "m k"], suspicious: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a direction, in coefficients, proves that the cost has no finite minimiser; looked at if suspicious."""
    design = cost.design
    tolerance = jnp.finfo(direction.dtype).eps ** (2 / 3)

    def recession(score: Array, target: Array) -> Array:
        return jax.jvp(lambda s: cost.loss(s, target), (_FAR * score,), (score,))[1]

    def proved(inner: Array) -> Array:
        largest = design.fold(lambda basis, *_: Fold((), jnp.max(jnp.abs(basis.scores(inner))))).largest
        unit = inner / jnp.where(largest > 0, largest, 1.0)

        def steepest(basis: Columns, share: Array, targets: Array) -> Fold:
            rising = jax.vmap(recession, in_axes=(1, 0))(basis.scores(unit), targets)
            return Fold((), jnp.max(jnp.where(share > 0, rising, 0.0)))

        rising = design.fold(steepest, cost.targets).largest
        penalised = jnp.max(jnp.abs(design.penalty @ direction), initial=0.0)
        return (largest > 0) & (rising <= tolerance) & (penalised <= tolerance * largest)

    return only_if(suspicious, proved, (design.inner(direction),), jnp.array(False))
