"""`solve`: the exact minimum of what `fit` minimises. The checks, the choice of a method, and nothing of the methods."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from . import interior_point, least_squares, newton
from .. import border, losses, models
from ..cost import cost
from ..data import Dataset
from ..status import Status
from ._design import design
from ._outcome import Outcome
from ._traits import constant_curvature, smooth, Traits, traits


class Solution(NamedTuple):
    """The minimum, and how near it is.

    Attributes:
        params: weights and bias.
        cost: the objective there.
        gap: how far the objective may be above its minimum: exact for least squares, the duality gap for
            piecewise-linear losses, half the squared Newton decrement (an estimate) for smooth convex ones, inf
            where there is no certificate.
        iterations: passes over the data (for least squares, of refinement).
        status: how it ended.
    """

    params: models.Params
    cost: Float[Array, ""]
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    status: Status


METHODS = ("least_squares", "newton", "interior_point")


def solve(
    loss: losses.Loss,
    data: Dataset,
    *,
    model: models.Model = models.linear,
    l2: losses.Scalar = 0.0,
    init: models.Params | None = None,
    method: str | None = None,
    tolerance: losses.Scalar | None = None,
    max_iterations: int = 200,
    throw: bool = False,
) -> Solution:
    """Minimise the mean loss `Σ w loss / Σ w + l2/2 |weights|**2` exactly (the bias is not penalised).

    Least squares are solved by orthogonal factorisation, other smooth losses by safeguarded Newton steps, absolute
    error, quantiles and hinge by an interior-point method. A loss that is not convex gives the local minimum that
    descent from the least-squares fit (for a classifier: from zero), or from `init`, reaches. Of several minima that
    have the same scores the one with the smallest weights is given. May be jitted, and vmapped over data sets, `l2`,
    `init` and bound hyperparameters; a sweep over a hyperparameter compiles once.

    Args:
        loss: a loss of one example, registered or, with `method="newton"`, your own smooth one.
        data: features (n, d), targets (n,), optional weights (n,).
        model: what maps features to a score.
        l2: strength of the penalty on the weights, at least 0.
        init: coefficients to start from; only Newton's method looks at them.
        method: "least_squares", "newton" or "interior_point"; None chooses by the loss.
        tolerance: the largest gradient relative to the sum of its terms' sizes (Newton), or duality gap relative to
            the cost (interior point); None is eps**(2/3), which is 4e-11 in float64.
        max_iterations: the most iterations made.
        throw: raise RuntimeError with the status's advice unless the status is good.

    Raises:
        ValueError, TypeError: bad input, in one sentence, before anything is compiled.
    """
    data = border.checked(loss, data, model)
    border.check_l2(l2)
    method = _method(loss, method)
    _check_init(init, data, model)
    bound = loss if isinstance(loss, jax.tree_util.Partial) else jax.tree_util.Partial(loss)
    dtype = data.features.dtype
    tolerance = float(jnp.finfo(dtype).eps) ** (2 / 3) if tolerance is None else tolerance
    controls = (jnp.asarray(tolerance, dtype), jnp.asarray(max_iterations))
    facts = traits(loss) if method == "newton" else None
    solution = _solve(bound, data, jnp.asarray(l2, dtype), init, controls, model=model, method=method, facts=facts)
    if throw:
        solution.status.raise_if_bad()
    return solution


@functools.partial(jax.jit, static_argnames=("model", "method", "facts"))
def _solve(loss, data, l2, init, controls, *, model, method, facts) -> Solution:
    with jax.default_matmul_precision("highest"):
        features, targets, share = _cleaned(data)
        outcome = _METHODS[method](loss, features, targets, share, l2, init, controls, model, facts)
        finite = jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf)), outcome.params)
        bad = ~jnp.all(jnp.stack(jax.tree.leaves(finite)))
        # Where even the start overflows, zeros and a status say more than NaN.
        params = jax.tree.map(lambda leaf: jnp.where(bad, 0.0, leaf), outcome.params)
        scores = jax.vmap(model.predict, in_axes=(None, 0))(params, features)
        value = cost(loss)(scores, targets, weights=share) + l2 / 2 * jnp.sum(params.weights**2)
        code = jnp.where(bad | ~jnp.isfinite(value), Status.DIVERGED, outcome.code)
        gap = jnp.where(bad | jnp.isnan(outcome.gap), jnp.inf, outcome.gap)
    return Solution(params, value, gap, outcome.iterations, Status(code))


def _least_squares(loss, features, targets, share, l2, init, controls, model, facts) -> Outcome:
    curvature = constant_curvature(loss)
    basis = design(features, share, l2 / curvature, model.intercept)
    return least_squares.solve(basis, targets, l2, curvature)


def _newton(loss, features, targets, share, l2, init, controls, model, facts: Traits) -> Outcome:
    basis = design(features, share, l2, model.intercept)
    one = model.classes is None
    of_vector = (lambda score, target: loss(score[0], target)) if one else loss
    if init is not None:
        scores = jax.vmap(model.predict, in_axes=(None, 0))(init, features)
        start = basis.encode(scores, init.weights, l2)
    elif facts.residual:
        start = basis.rows.T @ (share * targets)
    else:
        start = jnp.zeros((basis.rows.shape[1], *model.score_shape), features.dtype)
    start = start[:, None] if one else start
    if facts.shift:
        start = start - jnp.mean(start, axis=1, keepdims=True)
    outcome = newton.solve(of_vector, basis, targets, start, facts, *controls)
    return outcome._replace(params=jax.tree.map(lambda leaf: leaf[..., 0], outcome.params)) if one else outcome


def _interior_point(loss, features, targets, share, l2, init, controls, model, facts) -> Outcome:
    basis = design(features, share, l2, model.intercept)
    return interior_point.solve(loss, basis, targets, l2, *controls)


_METHODS = {"least_squares": _least_squares, "newton": _newton, "interior_point": _interior_point}


def _cleaned(data: Dataset) -> tuple[Array, Array, Array]:
    """Features, targets and shares that sum to one; an example of weight 0 becomes a copy of one that counts."""
    features, targets = data.features, data.targets
    n, dtype = features.shape[0], features.dtype
    if jnp.issubdtype(targets.dtype, jnp.floating):
        targets = targets.astype(dtype)
    if data.weights is None:
        return features, targets, jnp.full(n, 1 / n, dtype)
    weights = data.weights.astype(dtype)
    relative = weights / jnp.max(weights)
    kept, stand_in = weights > 0, jnp.argmax(weights)
    row = kept[:, None]
    features, targets = (
        jnp.where(row if table.ndim > 1 else kept, table, table[stand_in][None]) for table in (features, targets)
    )
    return features, targets, jnp.where(kept, relative, 0.0) / jnp.sum(relative)


def _method(loss: losses.Loss, method: str | None) -> str:
    """The method to use, or a ValueError that says what to do."""
    fn = getattr(loss, "func", loss)
    name = getattr(fn, "__name__", repr(fn))
    if method is not None and method not in METHODS:
        raise ValueError(f"method={method!r}: use one of {', '.join(METHODS)}{losses.nearest(method, METHODS)}.")
    known = losses.has_card(loss)
    if not known and method is None:
        raise ValueError(f"{name} has no card that says how to minimise it: if it is smooth pass method='newton', else use lossopt.fit.")
    possible = [] if known else ["newton"]
    if known and constant_curvature(loss) is not None:
        possible.append("least_squares")
    if fn in interior_point.LOSSES:
        possible.append("interior_point")
    if known and smooth(loss):
        possible.append("newton")
    if not possible:
        raise ValueError(f"There is no exact method for {name} yet: use lossopt.fit.")
    if method is not None and method not in possible:
        raise ValueError(f"method={method!r} cannot minimise {name}: use {' or '.join(possible)}, or leave it out.")
    return method or possible[0]


def _check_init(init: models.Params | None, data: Dataset, model: models.Model) -> None:
    if init is None:
        return
    expected = jax.eval_shape(lambda: model.init(data.features.shape[1], data.features.dtype))
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(init)]
    if shapes != [leaf.shape for leaf in jax.tree.leaves(expected)]:
        raise ValueError(
            f"init has coefficients of shapes {shapes}, but a {model.name} model of {data.features.shape[1]} features "
            f"has {[leaf.shape for leaf in jax.tree.leaves(expected)]}: start from model.init(...)."
        )
