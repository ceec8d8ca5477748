"""A loss times a factor, with a factor a side, and sums of losses."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import like, residual, Scalar
from .._card import LossCard
from .._kinds import POSITIVE_FINITE, UNIT_OPEN
from .._register import claim, claims, derive, label, Loss
from ._part import (
    checked,
    curvature,
    inherited,
    part,
    require_one_kind,
    require_residual,
    shell,
    times_factor,
    unclaimed,
)


# Laws whose scale is free: a factor changes the scale and leaves the law.
_SCALE_FREE = ("gaussian", "laplace", "asymmetric gaussian", "asymmetric laplace")


def _scaled_card(loss: Loss, factor: Any) -> LossCard:
    same = (
        "kinks", "redescending", "symmetric", "origin", "tails", "zero_at_perfect_fit", "elicits", "proper",
        "calibrated", "noise_symmetric", "efficiency", "non_negative",
    )  # fmt: skip
    grown = ("lipschitz", "smoothness", "least_curvature", "supremum")
    law = lambda: claim(loss, "noise")  # noqa: E731
    return unclaimed(
        **shell("scaled", loss),
        formula=rf"a \cdot {claims(loss).formula}",
        hyperparameters={"factor": POSITIVE_FINITE},
        noise=lambda: law() if law() in _SCALE_FREE else None,
        **inherited(loss, *same),
        **{field: functools.partial(_grown, loss, factor, field) for field in grown},
    )


def _grown(loss: Loss, factor: float, field: str) -> float | None:
    return times_factor(factor, claim(loss, field))


@derive(_scaled_card)
def _scaled(prediction: Any, target: Any, *, loss: Loss, factor: ArrayLike) -> Array:
    value = loss(prediction, target)
    return like(factor, value) * value


def scaled(loss: Loss, factor: ArrayLike) -> Loss:
    """A loss times a factor above 0: `scaled(huber, 2.0)`. Minimisers stay where they are; steps change.

    Args:
        loss: any loss. factor: in (0, inf); it is the hyperparameter `factor` of the result.

    Raises:
        TypeError: the loss is not a function. ValueError: the factor is out of range.
    """
    return checked(jax.tree_util.Partial(_scaled, loss=part(loss), factor=factor))


def _asymmetric_card(loss: Loss, level: Any) -> LossCard:
    heavy = lambda: max(level, 1 - level)  # noqa: E731
    even = lambda: bool(claim(loss, "symmetric"))  # noqa: E731
    most = lambda field: times_factor(heavy(), claim(loss, field)) if even() else None  # noqa: E731

    def least() -> float | None:
        value = claim(loss, "least_curvature")
        # The origin is a perfect fit, where a loss of order 2 is flat: its sides join without a kink.
        return times_factor(heavy() if value is None or value < 0 else 1 - heavy(), value) if even() else None

    names = {"median": "quantile", "mean": "expectile"}
    laws = {"laplace": "asymmetric laplace", "gaussian": "asymmetric gaussian"}
    return unclaimed(
        **shell("asymmetric", loss),
        formula=rf"|\tau - \mathbf{{1}}(y < \hat y)| \cdot {claims(loss).formula}",
        hyperparameters={"level": UNIT_OPEN},
        least_curvature=least,
        symmetric=lambda: level == 0.5 if even() else None,
        elicits=lambda: names.get(claim(loss, "elicits")),
        noise=lambda: laws.get(claim(loss, "noise")),
        **{field: functools.partial(most, field) for field in ("lipschitz", "smoothness", "supremum")},
        **inherited(loss, "kinks", "redescending", "origin", "tails", "zero_at_perfect_fit", "non_negative"),
    )


@derive(_asymmetric_card)
def _asymmetric(prediction: Scalar, target: Scalar, *, loss: Loss, level: ArrayLike) -> Array:
    value, r = loss(prediction, target), residual(prediction, target)
    level = like(level, r)
    return jnp.where(r > 0, 1 - level, level) * value


def asymmetric(loss: Loss, level: ArrayLike) -> Loss:
    """A loss of a residual in which under-prediction weighs `level` and over-prediction `1 - level`.

    `asymmetric(absolute_error, level)` is the quantile loss, `asymmetric(squared_error, level)` the expectile loss;
    `asymmetric(huber, level)` is the robust expectile. At a perfect fit the weight is that of under-prediction.

    Args:
        loss: of a residual. level: in (0, 1); it is the hyperparameter `level` of the result.

    Raises:
        TypeError: the loss is not a function. ValueError: it is not a loss of a residual, or the level is out of range.

    Source: Breckling and Chambers (1988), Biometrika 75, section 2.
    """
    inside = part(loss)
    require_residual(inside, "asymmetric")
    return checked(jax.tree_util.Partial(_asymmetric, loss=inside, level=level))


# From the slowest growth to the fastest.
_GROWTHS = ("constant", "logarithmic", "linear", "power", "quadratic", "exponential")
_ADDITIVE = ("mean", "median", "log-odds", "probability", "log of the mean")


def _mixture_card(losses: tuple[Loss, ...], weights: tuple[Any, ...]) -> LossCard:
    every = lambda field: [claim(loss, field) for loss in losses]  # noqa: E731
    terms = " + ".join(f"w_{i} {claims(loss).formula}" for i, loss in enumerate(losses, 1))
    return unclaimed(
        **shell("mixture", *losses),
        formula=terms,
        kinks=lambda: None if None in every("kinks") else tuple(sorted({x for kinks in every("kinks") for x in kinks})),
        lipschitz=lambda: _steepest(losses, weights),
        smoothness=lambda: _sharpest(losses, weights),
        least_curvature=lambda: _flattest(losses, weights),
        supremum=lambda: _sum(every("supremum"), weights) if claims(losses[0]).of_residual else None,
        redescending=lambda: _all(every("redescending")) if claims(losses[0]).of_residual else None,
        symmetric=lambda: _all(every("symmetric")),
        origin=lambda: None if None in every("origin") else min(every("origin")),
        tails=lambda: None if None in every("tails") else max(every("tails"), key=_GROWTHS.index),
        zero_at_perfect_fit=lambda: all(every("zero_at_perfect_fit")),
        elicits=lambda: every("elicits")[0] if _alike(every("elicits"), _ADDITIVE) else None,
        non_negative=lambda: _all(every("non_negative")),
        proper=lambda: _all(every("proper")),
        noise_symmetric=lambda: _all(every("noise_symmetric")),
        noise=lambda: "gaussian" if set(every("noise")) == {"gaussian"} else None,
    )


def _alike(values: list[Any], known: tuple[str, ...]) -> bool:
    return len(set(values)) == 1 and values[0] in known


def _all(values: list[bool | None]) -> bool | None:
    """Whether it holds of the sum: where it holds of each; where it fails of some nothing is known."""
    return True if all(values) else None


def _sum(values: list[float | None], weights: tuple[float, ...]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return math.fsum(weight * value for weight, value in zip(weights, known, strict=True))


def _steepest(losses: tuple[Loss, ...], weights: tuple[float, ...]) -> float | None:
    """The slopes of convex, symmetric losses of a residual are all greatest far out."""
    convex = all(claims(loss).prediction == "real" and (claim(loss, "least_curvature") or 0) >= 0 for loss in losses)
    if not convex or not all(claim(loss, "symmetric") for loss in losses):
        return None
    return _sum([claim(loss, "lipschitz") for loss in losses], weights)


def _sharpest(losses: tuple[Loss, ...], weights: tuple[float, ...]) -> float | None:
    """The curvatures add up where each is greatest at a perfect fit."""
    values = [claim(loss, "smoothness") for loss in losses]
    if None in values or not claims(losses[0]).of_residual:
        return None
    if math.inf in values:
        return math.inf
    at_fit = [float(curvature(loss, 0.0)) for loss in losses]
    return _sum(values, weights) if np.allclose(at_fit, values, rtol=1e-5) else None


def _flattest(losses: tuple[Loss, ...], weights: tuple[float, ...]) -> float | None:
    """The curvatures add up where each is constant, or falls to 0 far out."""
    values = [claim(loss, "least_curvature") for loss in losses]
    if not claims(losses[0]).of_residual:
        return 0.0 if all(value == 0 for value in values) else None
    dying = ("linear", "logarithmic", "constant")
    settles = [
        value is not None and (claim(loss, "smoothness") == value or (value == 0 and claim(loss, "tails") in dying))
        for loss, value in zip(losses, values, strict=True)
    ]
    return _sum(values, weights) if all(settles) else None


@derive(_mixture_card)
def _mixture(prediction: Any, target: Any, *, losses: tuple[Loss, ...], weights: tuple[ArrayLike, ...]) -> Array:
    values = [loss(prediction, target) for loss in losses]
    return sum(like(weight, value) * value for weight, value in zip(weights[1:], values[1:], strict=True)) + (
        like(weights[0], values[0]) * values[0]
    )


def mixture(terms: Mapping[Loss, ArrayLike]) -> Loss:
    """Several losses of the same example as one: `mixture({squared_error: 0.7, absolute_error: 0.3})`.

    Formula: the sum of weight times loss. The hyperparameters of the result are `losses` and `weights`, both tuples in
    the order given. For costs of several tasks see `lossopt.weighted_sum`.

    Args:
        terms: loss -> weight, above 0; the losses must take the same kind of prediction and target.

    Raises:
        ValueError: there are no terms, a weight is not above 0, or the losses are of different kinds.
    """
    if not terms:
        raise ValueError("mixture needs at least one loss: {loss: weight}.")
    losses = tuple(part(loss) for loss in terms)
    weights = tuple(terms.values())
    for loss, weight in zip(losses, weights, strict=True):
        if not isinstance(weight, jax.core.Tracer) and not POSITIVE_FINITE.contains(weight):
            raise ValueError(f"mixture needs weights in {POSITIVE_FINITE}, but {label(loss)} has weight {weight}.")
    require_one_kind(losses, "mixture")
    return jax.tree_util.Partial(_mixture, losses=losses, weights=weights)
