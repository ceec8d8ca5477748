"""Derivatives of a minimum in what it is the minimum of, by the implicit function theorem.

At a smooth minimum the gradient in the coefficients p is 0 whatever the data, penalties and hyperparameters θ, so that

    H dp = -(∂²cost/∂p∂θ) dθ,

with H the Hessian of the cost in p. No iteration is differentiated; forward and reverse mode are one formula, which
may be differentiated again (Griewank and Walther 2008, section 15.3). The cost itself changes as it does with p held
(Danskin 1966). A weight that l1 holds at 0 stays there. Where H has no curvature, as for equal changes of all logits,
nothing moves.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float

from .. import losses, models
from ..data import Dataset, traced
from ..reductions import relative
from ..status import GOOD
from ..train import objective_of


# What has params, a cost and a status.
S = TypeVar("S", bound=Any)


class Given(NamedTuple):
    """What a minimum depends on."""

    loss: losses.Loss
    data: Dataset
    l1: Any
    l2: Any

    def held(self) -> "Given":
        """The same, of which nothing is differentiated: outside jit and vmap, the numbers themselves."""
        return jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if traced(leaf) else leaf, self)

    def arrays(self, checked: Dataset, dtype: Any) -> "Given":
        """The same, all of it arrays in the precision that is computed in; of the data what is `checked`, if known."""

        def array(leaf: Any) -> Any:
            if leaf is None:
                return None
            found = jnp.asarray(leaf)
            return found.astype(dtype) if jnp.issubdtype(found.dtype, jnp.floating) else found

        bound = self.loss if isinstance(self.loss, jax.tree_util.Partial) else jax.tree_util.Partial(self.loss)
        data = Dataset(*(array(own if traced(own) else safe) for own, safe in zip(self.data, checked, strict=True)))
        return Given(bound, data._replace(features=data.features.astype(dtype)), array(self.l1), array(self.l2))


def following(solution: S, given: Given, model: models.Model, differentiable: bool) -> S:
    """A solution whose coefficients and cost have derivatives in what was given: NaN where it is no minimum.

    Who asks for them where it is not `differentiable` is told why there are none.
    """
    sound, found = jnp.isin(solution.status.code, jnp.array(GOOD)), (solution.params, solution.cost)
    params, cost = _minimum(model, differentiable, found, sound, given)
    return solution._replace(params=params, cost=cost)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _minimum(model, differentiable, found, sound, given):
    return found


@_minimum.defjvp
def _(model, differentiable, primals, tangents):
    found, sound, given = primals
    if not differentiable:
        raise ValueError(
            f"A minimum under {losses.label(given.loss)} has no derivative here, for the loss has kinks: take a smooth "
            "loss, lossopt.losses.smoothed(...) of this one, say."
        )
    # Not what was found, which nothing moves: this has derivatives in turn.
    found = _minimum(model, differentiable, found, sound, given)
    return found, _moved(found, sound, given, tangents[2], model=model)


@functools.partial(jax.jit, static_argnames="model")
def _moved(found, sound, given, moved, *, model):
    """How coefficients and cost move."""
    params, centre = found[0], jnp.zeros_like(given.data.features[0])
    if params.bias is not None:
        # Coefficients of centred columns, which a mean far from 0 costs no digits.
        weights = None if given.data.weights is None else relative(given.data.weights)
        centre = jax.lax.stop_gradient(jnp.average(given.data.features, axis=0, weights=weights))
        params = params._replace(bias=params.bias + centre @ params.weights)
    flat, shaped = ravel_pytree(params)

    def objective(flat: Array, given: Given) -> Array:
        data = given.data._replace(features=given.data.features - centre[None])
        params = shaped(flat)
        value = objective_of(model)(params, data, loss=given.loss, l2=given.l2)
        return value + given.l1 * jnp.sum(jnp.abs(params.weights))

    at = lambda derivative: jax.jvp(functools.partial(derivative, flat), (given,), (moved,))[1]  # noqa: E731
    stays = jnp.where((params.weights == 0) & (given.l1 != 0), jnp.ones_like(params.weights), 0.0)
    free = ravel_pytree(shaped(jnp.zeros_like(flat))._replace(weights=stays))[0] == 0
    gradient = jax.grad(objective)
    # For one class at a time: of all, what is computed of each example would be many times the table.
    hessian = _hessian(functools.partial(gradient, given=given), flat, flat.size // (model.classes or 1))
    step = shaped(-_solution(hessian, at(gradient), free, functools.partial(_alike, shaped, model)))
    if step.bias is not None:
        step = step._replace(bias=step.bias - centre @ step.weights)
    # A factor, and not a choice, to be NaN in reverse mode as well.
    return jax.tree.map(lambda leaf: leaf * jnp.where(sound, 1.0, jnp.nan).astype(leaf.dtype), (step, at(objective)))


def _hessian(gradient: Callable[[Array], Array], at: Float[Array, " m"], together: int) -> Float[Array, "m m"]:
    """That of a function with this gradient, so many columns at a time."""
    along = lambda direction: jax.jvp(gradient, (at,), (direction,))[1]  # noqa: E731
    return jax.lax.map(along, jnp.eye(at.size, dtype=at.dtype), batch_size=together)


def _alike(shaped: Any, model: models.Model, sizes: Array) -> Array:
    """The largest of all classes' sizes, for each feature and for the bias."""
    if model.classes is None:
        return sizes
    largest = lambda leaf: jnp.broadcast_to(jnp.max(leaf, axis=-1, keepdims=True), leaf.shape)  # noqa: E731
    return ravel_pytree(jax.tree.map(largest, shaped(sizes)))[0]


def _solution(
    hessian: Float[Array, "m m"], right: Float[Array, " m"], free: Bool[Array, " m"], alike: Any
) -> Float[Array, " m"]:
    """What a Hessian takes to a right side, of the coefficients that are free; 0 of the others and without curvature.

    `alike` gives all classes of a feature one number.
    """
    both, eye = free[:, None] & free[None], jnp.eye(free.size, dtype=right.dtype)
    matrix = jnp.where(both, hessian, eye)
    # Not one for each class: equal changes of all would not stay what they are.
    largest = alike(jnp.abs(jnp.diagonal(matrix)))
    scale = jnp.where(largest > 0, jax.lax.rsqrt(jnp.where(largest > 0, largest, 1.0)), 0.0)

    @jax.custom_batching.sequential_vmap
    def inverted(matrix: Array, scale: Array, right: Array) -> Array:
        values, vectors = jnp.linalg.eigh(scale[:, None] * matrix * scale[None])
        least = 8 * values.size * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
        bent = jnp.abs(values) > least
        inverse = jnp.where(bent, 1 / jnp.where(bent, values, 1.0), 0.0)
        return scale * (vectors @ (inverse * (vectors.T @ (scale * right))))

    solve = lambda _, right: inverted(matrix, scale, right)  # noqa: E731
    right = jnp.where(free, right, 0.0)
    return jax.lax.custom_linear_solve(lambda step: matrix @ step, right, solve, symmetric=True)
