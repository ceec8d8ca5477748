"""Derivatives of a minimum in what it is the minimum of, by the implicit function theorem.

At a smooth minimum the gradient in the coefficients p is 0 whatever the data, penalties and hyperparameters θ, so that

    H dp = -(∂²cost/∂p∂θ) dθ,

with H the Hessian of the cost in p. No iteration is differentiated; forward and reverse mode are one formula, which
may be differentiated again (Griewank and Walther 2008, section 15.3). The cost itself changes as it does with p held
(Danskin 1966).

H is had in the orthonormal basis in which the minimum was found, where nearly dependent columns cost no digits, and of
all steps the smallest weights are made. With `l1` it is had for the columns themselves: a weight that is held at 0
stays there. Where the loss has no curvature, as for equal changes of all logits, nothing moves.
"""

import functools
from collections.abc import Callable
from types import CellType
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.dtypes import float0
from jaxtyping import Array, Bool, Float

from .. import losses, models
from ..cost import per_example
from ..data import Dataset, Stored, traced
from ..reductions import mean
from ..status import GOOD
from ._cleaned import cleaned
from ._column_design import column_design
from ._design import design
from ._plan import Plan


# What has params, a cost and a status.
S = TypeVar("S", bound=Any)


class Given(NamedTuple):
    """What a minimum depends on."""

    loss: losses.Loss
    data: Dataset
    l1: Any
    l2: Any

    def held(self) -> "Given":
        """The same, of which nothing is differentiated.

        Raises:
            ValueError: the loss is a function that holds a traced number, and not as a hyperparameter.
        """
        cells = getattr(losses.unbound(self.loss), "__closure__", None) or ()
        if any(isinstance(cell.cell_contents, jax.core.Tracer) for cell in cells if cell != CellType()):
            raise ValueError(
                f"{losses.label(self.loss)} holds a number that is traced, of which nothing can be measured: make it a "
                "keyword-only argument of the loss, and give it by lossopt.bind."
            )
        data = self.data
        if isinstance(data, Dataset):
            data = Dataset(*(each if isinstance(each, Stored) else held(each) for each in data))
        return Given(held(self.loss), data, held(self.l1), held(self.l2))

    def arrays(self, checked: Dataset, dtype: Any) -> "Given":
        """The same, all of it arrays in the precision that is computed in; of the data what is `checked`, if known."""

        def array(leaf: Any) -> Any:
            if leaf is None or isinstance(leaf, Stored):
                return None
            found = jnp.asarray(leaf)
            return found.astype(dtype) if jnp.issubdtype(found.dtype, jnp.floating) else found

        data = Dataset(*(array(own if traced(own) else safe) for own, safe in zip(self.data, checked, strict=True)))
        return Given(losses.as_pytree(self.loss), data, array(self.l1), array(self.l2))


def held(tree: Any) -> Any:
    """The same, of which nothing is differentiated: outside jit and vmap, the numbers themselves."""
    return jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if isinstance(leaf, jax.core.Tracer) else leaf, tree)


class How(NamedTuple):
    """What is known of a minimum beforehand: a penalty on `absolute` weights, and why there is no derivative."""

    model: models.Model
    absolute: bool
    refusal: str | None


def no_derivative(loss: losses.Loss, data: Dataset, plan: Plan) -> str | None:
    """Why a minimum has no derivative, if it has none."""
    if isinstance(data.features, Stored):
        return "A minimum over features that are stored has no derivative: read them first, as features[:]."
    if plan.differentiable:
        return None
    return (
        f"A minimum under {losses.label(loss)} has no derivative here, for the loss has kinks: take a smooth loss, "
        "lossopt.losses.smoothed(...) of this one, say."
    )


def following(solution: S, given: Given, how: How) -> S:
    """A solution whose coefficients and cost have derivatives in what was given: NaN where it is no minimum."""
    sound, found = jnp.isin(solution.status.code, jnp.array(GOOD)), (solution.params, solution.cost)
    params, cost = _minimum(how, found, sound, given)
    return solution._replace(params=params, cost=cost)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _minimum(how, found, sound, given):
    return found


@functools.partial(_minimum.defjvp, symbolic_zeros=True)
def _(how, primals, tangents):
    (found, sound, given), moved = primals, tangents[2]
    if how.refusal:
        raise ValueError(how.refusal)
    # Not what was found, which nothing moves: this has derivatives in turn.
    found = _minimum(how, found, sound, given)
    turned = not isinstance(moved.data.features, SymbolicZero)
    return found, _moved(found, sound, given, jax.tree.map(_tangent, given, moved), how=how, turned=turned)


def _tangent(value: Any, moved: Any) -> Any:
    if not isinstance(moved, SymbolicZero):
        return moved
    return jnp.zeros_like(value) if jnp.issubdtype(moved.dtype, jnp.inexact) else np.zeros(moved.shape, float0)


@functools.partial(jax.jit, static_argnames=("how", "turned"))
def _moved(found, sound, given, moved, *, how, turned):
    """How coefficients and cost move; `turned`: because the features do."""
    model, (params, _) = how.model, found
    by_score = lambda leaf: leaf[..., None] if model.classes is None else leaf  # noqa: E731
    as_found = lambda leaf: leaf[..., 0] if model.classes is None else leaf  # noqa: E731
    weights = by_score(params.weights)
    steps = _steps(*jax.lax.stop_gradient((given, weights)), how)
    # Beside the centre of the columns, a mean far from 0 costs no digits.
    bias = steps.centre @ weights + (0.0 if params.bias is None else by_score(params.bias))
    none = jnp.zeros((steps.bias.size, bias.size), bias.dtype)

    def objective(step: Array, given: Given) -> Array:
        here = weights + steps.weights @ step
        scores = (given.data.features - steps.centre[None]) @ here + (bias + steps.bias @ step)[None]
        values, by = per_example(given.loss)(as_found(scores), given.data.targets), given.data.weights
        value = mean(values, jnp.ones_like(values) if by is None else by)
        return value + given.l2 * jnp.sum(here**2) / 2 + given.l1 * jnp.sum(jnp.abs(here))

    at = lambda derivative: jax.jvp(functools.partial(derivative, none), (given,), (moved,))[1]  # noqa: E731
    gradient = jax.grad(objective)
    step = -_solution(_hessian(functools.partial(gradient, given=given), none), at(gradient), steps.free)
    by_weights = steps.weights @ step
    by_bias = None if params.bias is None else as_found(steps.bias @ step - steps.centre @ by_weights)
    # What the data leave open turns with the features, in ways that are not known here.
    known = sound & ~steps.deficient if turned else sound
    # Factors, and no choices, to be NaN in reverse mode as well.
    or_none = lambda leaf, known: leaf * jnp.where(known, 1.0, jnp.nan).astype(leaf.dtype)  # noqa: E731
    by_params = jax.tree.map(lambda leaf: or_none(leaf, known), models.Params(as_found(by_weights), by_bias))
    return by_params, or_none(at(objective), sound)


class _Steps(NamedTuple):
    """The steps that coefficients may make.

    Attributes:
        weights, bias: of each step, the bias at a centre of the columns; 0 without an intercept.
        centre: 0 without an intercept.
        free: whether it is made, for each score.
        deficient: the data do not determine every weight.
    """

    weights: Float[Array, "d m"]
    bias: Float[Array, " m"]
    centre: Float[Array, " d"]
    free: Bool[Array, "m k"]
    deficient: Bool[Array, ""]


def _steps(given: Given, weights: Float[Array, "d k"], how: How) -> _Steps:
    """Those along the basis in which the minimum is found; with `l1` of a column each, but for weights of 0."""
    features, _, share = cleaned(given.data, given.l2.dtype, blocks=False, labels=True)
    table = features, share, given.l2, how.model.intercept
    basis = column_design(*table, blocks=False, sampled=False) if how.absolute else design(*table)
    each = jax.vmap(basis.decode, in_axes=1, out_axes=-1)(jnp.eye(basis.penalty.shape[1], dtype=weights.dtype))
    bias = jnp.zeros_like(each.weights[0]) if each.bias is None else each.bias + basis.centre @ each.weights
    free = jnp.ones((bias.size, weights.shape[1]), bool)
    if how.absolute:
        free = free.at[basis.constants :].set((weights != 0) | (given.l1 == 0))
    return _Steps(each.weights, bias, basis.centre, free, basis.deficient)


def _hessian(gradient: Callable[[Array], Array], at: Float[Array, "m k"]) -> Float[Array, "km m k"]:
    """That of a function with this gradient: for each score and coefficient, how it moves with the others."""
    unit = jnp.eye(at.size, dtype=at.dtype).reshape(at.size, *at.T.shape).mT
    along = lambda direction: jax.jvp(gradient, (at,), (direction,))[1]  # noqa: E731
    # For one score at a time: for all, what is computed of each example would be many times the table.
    return jax.lax.map(along, unit, batch_size=len(at))


def _solution(hessian: Array, right: Float[Array, "m k"], free: Bool[Array, "m k"]) -> Float[Array, "m k"]:
    """What a Hessian takes to a right side, where steps are free; 0 elsewhere and where there is no curvature."""
    flat = lambda array: array.T.ravel()  # noqa: E731
    may, eye = flat(free), jnp.eye(free.size, dtype=right.dtype)
    matrix = jnp.where(may[:, None] & may[None], jax.vmap(flat)(hessian), eye)

    @jax.custom_batching.sequential_vmap
    def inverted(matrix: Array, right: Array) -> Array:
        values, vectors = jnp.linalg.eigh(matrix)
        least = 8 * values.size * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
        bent = jnp.abs(values) > least
        return vectors @ (jnp.where(bent, 1 / jnp.where(bent, values, 1.0), 0.0) * (vectors.T @ right))

    solve = lambda _, right: inverted(matrix, right)  # noqa: E731
    made = jnp.where(may, flat(right), 0.0)
    step = jax.lax.custom_linear_solve(lambda step: matrix @ step, made, solve, symmetric=True)
    return step.reshape(right.T.shape).T
