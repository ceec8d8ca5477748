"""Examples so far out that each fixes a coefficient by itself.

On the right side of the boundary an example may be as far out as it likes and costs nothing. If one value is so large
that the rest of its column is nothing beside it, what the others ask of that coefficient is lost in the rounding of
what the one could ask, though it asks for nothing. Such examples are left out. If the minimum of the others costs them
nothing it is the minimum of all, for no loss is below 0; and so a bound for the others is one for all.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import losses, models
from ..cost import per_example
from ..data import Dataset
from ..status import Status
from ._design import Design


if TYPE_CHECKING:
    from ._solve import Solution

# How much less than all of a coefficient an example fixes.
_ALL = 1e-10


def may_be_far(loss: losses.Loss) -> bool:
    """Whether an example may be as far out as it likes and cost nothing."""
    return losses.has_card(loss) and losses.claims(loss).task in ("binary", "multiclass")


def lone(design: Design, *, orthonormal: bool) -> Bool[Array, " n"]:
    """Which examples fix a coefficient by themselves: those of a leverage of 1, in the basis or in a column of it."""
    constant, columns = jnp.split(design.basis**2, [design.constants])
    most = jnp.sum(columns, axis=0) if orthonormal else jnp.max(columns, axis=0, initial=0.0)
    return design.share * (jnp.sum(constant, axis=0) + most) > 1 - _ALL


def without(
    solution: "Solution",
    out: np.ndarray,
    data: Dataset,
    loss: losses.Loss,
    model: models.Model,
    solve: Callable[[Dataset, float], "Solution"],
) -> "Solution":
    """The solution, or that without the examples `out` which it costs nothing to leave out, if it is better.

    `solve` is given the data with some weights of 0, and by what to divide the strengths of the penalties.
    """
    weights = np.ones(len(out)) if data.weights is None else np.asarray(data.weights)
    out = out & (weights > 0)
    while out.any() and not out[weights > 0].all():
        rest = np.where(out, 0.0, weights)
        share = float(rest.sum() / weights.sum())
        found = solve(data._replace(weights=jnp.asarray(rest)), share)
        each = weights / weights.sum() * np.asarray(_losses(found.params, data, loss, model))
        free = out & (each <= np.finfo(each.dtype).eps * float(found.cost))
        if (free == out).all():
            return _better(solution, found, share, each[out].sum())
        out = free
    return solution


def _losses(params: models.Params, data: Dataset, loss: losses.Loss, model: models.Model) -> Float[Array, " n"]:
    scores = jax.vmap(model.predict, in_axes=(None, 0))(params, jnp.asarray(data.features))
    return per_example(loss)(scores, jnp.asarray(data.targets))


def _better(solution: "Solution", found: "Solution", share: float, more: float) -> "Solution":
    """The cheaper of two; the second is of examples with so large a share of all, and the others cost so much more."""
    cost = share * found.cost + more
    endless = solution.status.code == Status.NO_FINITE_MINIMISER
    if not (found.status.good if endless else cost < solution.cost):
        return solution
    gap, iterations = share * found.gap + more, solution.iterations + found.iterations
    return found._replace(cost=cost, gap=gap, iterations=iterations)
