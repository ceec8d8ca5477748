"""The certificate of a piecewise-linear cost: any force that satisfies the dual's constraints bounds the minimum below.

An iterate's force α satisfies them up to rounding. It is made to satisfy them exactly, in one of two ways.

Without a penalty A'α must be 0: what the basis sees of α is taken out, α - S A A'α (A'S A = 1), which leaves the box
-s down ≤ α ≤ s up by as little, and the whole is shrunk towards 0, which lies inside, until it fits again. The bound is t'α.

With a penalty the weights absorb any force and only the bias must see none: the stronger of the two signs is scaled down.
The bound is t'α less |X'α|²/(2 l2), the most that the weights w = X'α/l2 can make of it.

For a margin 0 is a corner of the box (down = 0) and shrinking may leave nothing. There the force is taken as it is, less
R |A'α|: a bound on the cost within the distance R, twice that of the solution, from the origin.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._design import Design
from ._piecewise import Problem


def lower_bound(
    problem: Problem, design: Design, l2: Float[Array, ""], force: Float[Array, " n"], c: Float[Array, " m"]
) -> Float[Array, ""]:
    """A number that the cost, in the problem's unit, is nowhere below."""
    force = jnp.where(problem.used, force, 0.0)
    without, with_penalty = _unpenalised(problem, design, force, c), _penalised(problem, design, l2, force)
    return jnp.where(l2 > 0, with_penalty, without)


def _unpenalised(problem: Problem, design: Design, force: Array, c: Array) -> Array:
    rows, target, up, down = problem.lines
    fitted = force - design.share * (rows @ (rows.T @ force))
    room = jnp.where(fitted > 0, up, down)
    stretch = jnp.max(jnp.where(fitted != 0, jnp.abs(fitted) / jnp.where(room > 0, room, 1.0), 0.0))
    inside = jnp.all((fitted == 0) | (room > 0))
    shrunk = jnp.where(inside, 1 / jnp.maximum(stretch, 1.0), 0.0)
    near = target @ force - 2 * (1 + jnp.max(jnp.abs(c))) * jnp.sum(jnp.abs(rows.T @ force))
    one_sided = ~jnp.all((up > 0) & (down > 0))
    return jnp.where(one_sided, jnp.maximum(near, 0.0), shrunk * (target @ fitted))


def _penalised(problem: Problem, design: Design, l2: Array, force: Array) -> Array:
    rows, target, _, _ = problem.lines
    if design.constants:
        seen = rows[:, 0] * force
        up, down = jnp.sum(jnp.maximum(seen, 0.0)), jnp.sum(jnp.maximum(-seen, 0.0))
        least = jnp.minimum(up, down)
        share = least / jnp.where(seen > 0, up, down)
        force = jnp.where(least < jnp.where(seen > 0, up, down), force * share, force)
    felt = (rows.T @ force)[design.constants :]
    lifted = felt @ problem.centre[design.constants :] - jnp.sum((design.spread @ felt) ** 2) / (
        2 * jnp.where(l2 > 0, l2, 1.0)
    )
    return target @ force + lifted / problem.unit
