"""Examples so far out that each fixes a coefficient by itself.

On the right side of the boundary an example may be as far out as it likes and costs nothing. If one value is so large
that the rest of its column is nothing beside it, what the others ask of that coefficient is lost in the rounding of
what the one could ask, though it asks for nothing. Such examples are left out. If the minimum of the others costs them
no more than the least that they can cost, it is the minimum of all; and so a bound for the others is one for all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .. import losses, models
from ..cost import per_example
from ..data import Dataset, Stored
from ..status import GOOD, Status
from ._cleaned import working_dtype
from ._design import Design
from ._outcome import Solution


# How much less than all of a coefficient an example fixes, if floats can tell.
_ALL = 1e-10
# What is nothing beside a number, as far as that is worth looking into.
_NOTHING = 1e-3
# A movement of a score after which a loss is at its limit.
_FAR = 1e6
# How often the step of a coefficient is halved.
_HALVINGS = 60


def may_be_far(loss: losses.Loss) -> bool:
    """Whether an example may be as far out as it likes and cost nothing."""
    if not losses.has_card(loss):
        return False
    card = losses.claims(loss)
    return card.task in ("binary", "multiclass") or card.prediction == "log mean"


def lone(design: Design, tolerance: Float[Array, ""], *, orthonormal: bool) -> Bool[Array, "*n"]:
    """Which examples fix a coefficient by themselves: those of a leverage of 1, in the basis or in a column of it.

    Of a table in blocks, in which columns there is such an example. What the others ask of it is lost in the rounding,
    or in what the gradient may be.
    """
    all_of_it = 1 - jnp.maximum(_less(design.share.dtype, 0.0), tolerance)
    if design.most is not None:
        return design.most > all_of_it
    constant, columns = jnp.split(design.basis**2, [design.constants])
    most = jnp.sum(columns, axis=0) if orthonormal else jnp.max(columns, axis=0, initial=0.0)
    return design.share * (jnp.sum(constant, axis=0) + most) > all_of_it


def some(out: Bool[Array, "*n"]) -> bool:
    """Whether there are any, known without a programme where that can be."""
    return bool(np.asarray(out).any() if out.is_fully_replicated else jnp.any(out))


def _less(dtype: Any, tolerance: float) -> float:
    return max(_ALL, 8 * float(jnp.finfo(dtype).eps), tolerance)


def hides(out: Bool[Array, "*n"], data: Dataset) -> Bool[Array, ""]:
    """Whether an example hides something: beside its number, others in the column differ, but by nothing.

    Where they do not differ at all, as in a column of its own, they ask for nothing. Of columns, `out` has told that.
    """
    n = len(data.targets)
    if out.shape != (n,):
        return jnp.any(out)
    kept = ~out if data.weights is None else ~out & (data.weights > 0)
    table, counts = jnp.asarray(data.features).astype(working_dtype(None, data.features.dtype)), kept[:, None]
    lowest = jnp.min(jnp.where(counts, table, jnp.inf), axis=0)
    highest = jnp.max(jnp.where(counts, table, -jnp.inf), axis=0)
    far = jnp.max(jnp.where(out[:, None], jnp.abs(table - lowest[None]), 0.0), axis=0)
    return jnp.any(out) & jnp.any((highest > lowest) & (highest - lowest < _NOTHING * far))


def without(
    solution: Solution,
    out: Array,
    data: Dataset,
    loss: losses.Loss,
    model: models.Model,
    penalties: tuple[Any, Any],
    tolerance: Any,
    solve: Callable[..., Solution],
) -> Solution:
    """The solution, or that without the examples `out` which it costs nothing to leave out, if it is better.

    `out` is what `lone` says; `solve` is given the data with some weights of 0, and the penalties that go
    with them. Where the table cannot be seen from here, the solution is doubted.
    """
    if isinstance(data.features, Stored) or not out.is_fully_addressable:
        return doubted(solution, jnp.array(True))
    weights = np.ones(len(data.targets)) if data.weights is None else np.asarray(data.weights)
    weights = weights / weights.max()
    fixed = free = _examples(np.asarray(out), data, weights, float(tolerance))
    least = weights / weights.sum() * _least(data, loss, model)
    while free.any() and not free[weights > 0].all():
        rest = np.where(free, 0.0, weights)
        share = float(rest.sum() / weights.sum())
        l1, l2 = (strength / share for strength in penalties)
        found = solve(loss, data._replace(weights=jnp.asarray(rest)), model=model, l1=l1, l2=l2)
        now = weights / weights.sum() * _losses(_scores(found.params, data, model), data, loss)
        known = free & np.isfinite(least)
        more = np.abs(np.where(known, now, 0.0) - np.where(known, least, 0.0))
        still = known & (more <= np.finfo(more.dtype).eps * abs(float(found.cost)))
        if (still == free).all():
            rest_costs, above = float(now[free].sum()), float(more[free].sum())
            solution, fixed = _better(solution, found, share, rest_costs, above), fixed & ~free
            break
        free = still
    if fixed.any() and (fixed < (weights > 0)).any():
        around = _around(solution, fixed, weights, data, loss, model)
        gain = _gain(around, penalties)
        open_ = _open(around, penalties, float(tolerance)) or gain > float(tolerance) * abs(float(solution.cost))
        solution = doubted(solution._replace(gap=solution.gap + 2 * gain), jnp.array(open_))
    return solution


def doubted(solution: Solution, doubtful: Bool[Array, ""]) -> Solution:
    """The solution, which is not called a minimum where that is doubtful."""
    doubtful &= jnp.isin(solution.status.code, jnp.array(GOOD))
    code = jnp.where(doubtful, Status.STALLED, solution.status.code)
    return solution._replace(gap=jnp.where(doubtful, jnp.inf, solution.gap), status=Status(code))


def _examples(out: np.ndarray, data: Dataset, weights: np.ndarray, tolerance: float) -> np.ndarray:
    """Which examples fix a coefficient by themselves: what `lone` says, of the examples or of the columns."""
    counts = weights > 0
    if len(out) == len(counts):
        return out & counts
    found, less = np.zeros(len(counts), bool), _less(working_dtype(None, data.features.dtype), tolerance)
    for column in np.asarray(data.features)[:, out].T:
        column = np.where(counts, column / np.max(np.abs(column[counts])), 0.0)
        largest = np.argmax(np.where(counts, np.abs(column - np.median(column[counts])), 0.0))
        rest = np.where(np.arange(len(counts)) == largest, 0.0, weights)
        apart = column - rest @ column / max(rest.sum(), np.finfo(float).tiny)
        found[largest] |= bool(rest @ apart**2 <= less * weights[largest] * apart[largest] ** 2)
    return found


def _scores(params: models.Params, data: Dataset, model: models.Model) -> Float[Array, " n *k"]:
    features = jnp.asarray(data.features).astype(params.weights.dtype)
    return jnp.asarray(model.scores(params, features), float)


def _losses(scores: Array | np.ndarray, data: Dataset, loss: losses.Loss) -> Float[np.ndarray, " n"]:
    return np.asarray(per_example(loss)(jnp.asarray(scores, float), _targets(data)))


def _targets(data: Dataset) -> Array:
    """As the scores here, of the widest floats that there are, unless they are labels."""
    targets = jnp.asarray(data.targets)
    return jnp.asarray(targets, float) if jnp.issubdtype(targets.dtype, jnp.floating) else targets


def _least(data: Dataset, loss: losses.Loss, model: models.Model) -> Float[np.ndarray, " n"]:
    """The least that examples can cost: with one score far from all others, on either side."""
    k = model.classes or 1
    apart = _FAR * (2 * np.eye(k) - 1)
    corners = np.concatenate([apart, -apart]).reshape(-1, 1, *model.score_shape)
    rows = np.ones((len(data.targets), *(1,) * len(model.score_shape)))
    return np.min([_losses(rows * corner, data, loss) for corner in corners], axis=0)


def _better(solution: Solution, found: Solution, share: float, rest: float, more: float) -> Solution:
    """The cheaper of two.

    The second is of examples with so large a share of all; the rest cost so much, and so much more than they might.
    """
    cost = share * found.cost + rest
    endless = solution.status.code == Status.NO_FINITE_MINIMISER
    if not (found.status.good if endless else cost < solution.cost):
        return solution
    gap, iterations = share * found.gap + more, solution.iterations + found.iterations
    return found._replace(cost=cost, gap=gap, iterations=iterations)


class _Around(NamedTuple):
    """What is seen around a solution of which some examples fix a coefficient: its coefficients, in their dtype, and of
    each example the share, whether it is one of those, the scores, the slopes, and the features less the centre of the
    others."""

    coefficients: Float[np.ndarray, "d k"]
    share: Float[np.ndarray, " n"]
    fixed: Bool[np.ndarray, " n"]
    scores: Array
    slopes: Float[np.ndarray, "n k"]
    features: Float[np.ndarray, "n d"]
    data: Dataset
    loss: losses.Loss

    @property
    def others(self) -> Float[np.ndarray, " n"]:
        """The share of each example that fixes nothing."""
        return np.where(self.fixed, 0.0, self.share)


def _around(
    solution: Solution, fixed: np.ndarray, weights: np.ndarray, data: Dataset, loss: losses.Loss, model: models.Model
) -> _Around:
    scores, share = _scores(solution.params, data, model), weights / weights.sum()
    slopes = np.asarray(jax.vmap(jax.grad(loss))(scores, _targets(data))).reshape(len(share), -1)
    features, others = np.asarray(data.features, scores.dtype), np.where(fixed, 0.0, share)
    features = features - others @ features / others.sum() * model.intercept
    coefficients = np.asarray(solution.params.weights).reshape(features.shape[1], -1)
    return _Around(coefficients, share, fixed, scores, slopes, features, data, loss)


def _open(around: _Around, penalties: tuple[Any, Any], tolerance: float) -> bool:
    """Whether some coefficient is better moved to where it costs an example nothing that now fixes it.

    Its own pull, which the rounding of everything else exceeds, does not tell. With several scores one may be pulled
    the way that its class wants while others are not, and then the minimum is neither this nor one without the example.
    """
    (l1, l2), coefficients, fixed, loss = penalties, around.coefficients, around.fixed, around.loss
    others = around.others > 0
    features, slopes, share = around.features[others], around.slopes[others], around.share[others, None]
    spread, steep = (np.sqrt(np.sum(share * table**2, axis=0)) for table in (features, slopes))
    pull = features.T @ (share * slopes) + l2 * coefficients
    pulled = np.abs(pull) > l1 + np.sqrt(np.finfo(pull.dtype).eps) * np.outer(spread, steep)
    apart = around.features[fixed]
    alone = np.abs(apart) * np.sqrt(_less(coefficients.dtype, tolerance)) > spread
    # Of the examples that fix something, indexed (example, column, score).
    wanted = -np.sign(apart)[:, :, None] * pull
    here, there = np.asarray(around.scores)[fixed], jax.tree.map(lambda leaf: leaf[fixed], around.data)
    now, far = _losses(here, there, loss), _FAR * (1 + np.max(np.abs(here), initial=0.0))
    free = np.zeros(wanted.shape, bool)
    for score, step in enumerate(far * np.eye(wanted.shape[2])):
        lower, upper = (_losses(here + way * step.reshape(here.shape[1:]), there, loss) <= now for way in (-1, 1))
        free[:, :, score] = np.where(wanted[:, :, score] > 0, upper[:, None], lower[:, None])
    return bool(np.any(free & pulled & alone[:, :, None]))


def _gain(around: _Around, penalties: tuple[Any, Any]) -> float:
    """By how much a coefficient by itself, the one that promises most, lowers the cost; 0 if that is only rounding.

    A slope that is small beside those of the examples that fix a coefficient need not be so beside those of the others.
    """
    (l1, l2), scores, targets, share = penalties, around.scores, _targets(around.data), around.share
    coefficients, features, loss = around.coefficients.astype(scores.dtype), around.features, around.loss
    steps, falls = _steps(around, penalties)
    best = np.unravel_index(np.argmax(falls), falls.shape)
    along = np.zeros((len(targets), coefficients.shape[1]))
    along[:, best[1]] = steps[best] * features[:, best[0]]

    def cost(factor: Array) -> Array:
        each = per_example(loss)(scores + factor * jnp.asarray(along.reshape(scores.shape), scores.dtype), targets)
        moved = coefficients[best] + factor * steps[best]
        return jnp.asarray(share, scores.dtype) @ each + l1 * abs(moved) + l2 / 2 * moved**2

    # One that the others want moved may soon be stopped by what fixes it.
    factors = np.append(0.0, 0.5 ** np.arange(_HALVINGS))
    costs = np.asarray(jax.lax.map(cost, jnp.asarray(factors, scores.dtype)))
    rounding = len(targets) ** 0.5 * np.finfo(around.coefficients.dtype).eps * abs(costs[0])
    gain = float(costs[0] - np.nanmin(costs))
    return gain if gain > rounding else 0.0


def _steps(around: _Around, penalties: tuple[Any, Any]) -> tuple[Float[np.ndarray, "d k"], Float[np.ndarray, "d k"]]:
    """Newton's step of each coefficient by itself, and by how much it lowers a parabola."""
    (l1, l2), slope, share, features = penalties, jax.grad(around.loss), around.share[:, None], around.features

    def bends(score: Array, target: Array) -> Array:
        return jnp.diagonal(jax.jacfwd(slope)(score, target).reshape(score.size, score.size))

    curvatures = np.asarray(jax.vmap(bends)(around.scores, _targets(around.data))).reshape(around.slopes.shape)
    # Of columns in the unit of their largest number, whose squares are floats.
    unit = np.max(np.abs(features), axis=0)
    unit[unit == 0] = 1.0
    features, unit = features / unit, unit[:, None]
    bend = (features**2).T @ (share * curvatures) + l2 / unit / unit
    pull = features.T @ (share * around.slopes) + l2 * around.coefficients / unit
    left = np.sign(pull) * np.maximum(np.abs(pull) - l1 / unit, 0.0)
    steps = -left / np.where(bend > 0, bend, np.inf)
    return steps / unit, -left * steps
