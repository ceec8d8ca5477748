"""Scores of prediction intervals, in the unit of the target: wide intervals cost, and missing the target costs more."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Shaped

from ._arguments import floats, like, Scalar, sided, Vector
from ._card import LossCard
from ._kinds import UNIT_OPEN
from ._register import register


@register(
    LossCard(
        task="distribution",
        prediction="interval",
        target="real",
        formula=r"(u - l) + \tfrac{2}{\alpha} \left[(l - y)_+ + (y - u)_+\right],\ \alpha = 1 - \text{coverage}",
        hyperparameters={"coverage": UNIT_OPEN},
        kinks=(0.0,),
        # Attained where the ends have crossed, each beyond the target.
        lipschitz=lambda coverage: math.sqrt(2) * (2 / (1 - coverage) - 1),
        symmetric=False,
        origin=1,
        elicits="central interval",
        reference="Winkler (1972)",
    )
)
def interval_score(prediction: Vector, target: Scalar, *, coverage: ArrayLike = 0.9) -> Float[Array, ""]:
    """The width of an interval, and 2/alpha times the distance by which it misses the target.

    Formula: `(u - l) + 2/alpha (max(l - y, 0) + max(y - u, 0))` with `alpha = 1 - coverage`; as 2/alpha times the
    pinballs of the two ends at levels alpha/2 and 1 - alpha/2, which it equals, for these cannot cancel. Never
    negative, also where the ends have crossed. The sub-gradient chosen where an end equals the target is 0.
    Its best constant ends are the quantiles at alpha/2 and 1 - alpha/2. Also called Winkler score.

    Args:
        prediction: (2,): the lower and the upper end, in the unit of the target, which is also the loss's.
        target: a real number.
        coverage: the share of targets that the interval is to hold, in (0, 1).

    Raises:
        ValueError: the prediction is not (2,), or the target not a number.

    Source: Winkler (1972), Journal of the American Statistical Association 67, section 2; Gneiting and Raftery (2007),
        Journal of the American Statistical Association 102, equation (43).
    """
    prediction, target = floats(prediction, target)
    if prediction.shape != (2,) or target.ndim != 0:
        raise ValueError(
            f"interval_score takes one vector (lower, upper) and one target, not shapes {prediction.shape} and "
            f"{target.shape}; for a batch use lossopt.per_example on predictions of shape (n, 2)."
        )
    steep = 2 / (1 - like(coverage, target)) - 1
    below, above = prediction[0] - target, prediction[1] - target
    return below * sided(below, -1.0, steep) + above * sided(above, -steep, 1.0)


def _levels(coverages: Shaped[ArrayLike, " c"] | tuple[Scalar, ...]) -> np.ndarray:
    ascending = np.sort(np.atleast_1d(np.asarray(coverages, float)))
    return np.concatenate([(1 - ascending[::-1]) / 2, [0.5], (1 + ascending) / 2])


def _steepest(coverages: Shaped[ArrayLike, " c"] | tuple[Scalar, ...]) -> float:
    sides = [max(level, 1 - level) for level in _levels(coverages)]
    return 2 * math.hypot(*sides) / len(sides)


@register(
    LossCard(
        task="distribution",
        prediction="quantiles",
        target="real",
        formula=r"\tfrac{1}{K + 1/2} \left(\tfrac12 |y - m| + \sum_k \tfrac{\alpha_k}{2} \mathrm{IS}_{\alpha_k}\right)",
        hyperparameters={"coverages": UNIT_OPEN},
        kinks=(0.0,),
        lipschitz=_steepest,
        symmetric=False,
        origin=1,
        elicits="median and central intervals",
        reference="Bracher et al. (2021)",
    )
)
def weighted_interval_score(
    prediction: Vector, target: Scalar, *, coverages: Shaped[ArrayLike, " c"] | tuple[Scalar, ...] = (0.5, 0.8, 0.95)
) -> Float[Array, ""]:
    """A median and central intervals at several coverages in one score; near the ranked probability score.

    Formula: `(|y - m|/2 + sum_k alpha_k/2 IS_k) / (K + 1/2)` with `IS_k` the `interval_score` at coverage
    `1 - alpha_k`. That is twice the mean of the 2K + 1 pinballs, twice `multi_quantile` at these levels, and it is
    computed so. The sub-gradient chosen where an entry equals the target is 0.

    Args:
        prediction: (2K + 1,) numbers in the unit of the target, which is also the loss's: the lower ends from the
            widest interval to the narrowest, the median, the upper ends from the narrowest to the widest.
        target: a real number.
        coverages: (K,) the coverages from the narrowest interval to the widest, in (0, 1).

    Raises:
        ValueError: the prediction is not (2K + 1,), or the target not a number.

    Source: Bracher, Ray, Gneiting and Reich (2021), PLOS Computational Biology 17, equation (2).
    """
    prediction, target = floats(prediction, target)
    coverage = jnp.asarray(coverages, prediction.dtype)
    if coverage.ndim != 1 or prediction.shape != (2 * coverage.size + 1,) or target.ndim != 0:
        raise ValueError(
            "weighted_interval_score takes one vector (lower ends, median, upper ends), two entries a coverage and one "
            f"more, and one target, not shapes {prediction.shape} and {target.shape} with {coverage.size} coverages."
        )
    outside = (1 - coverage) / 2
    low = jnp.concatenate([outside[::-1], jnp.full((1,), 0.5, coverage.dtype), (1 + coverage) / 2])
    high = jnp.concatenate([(1 + coverage[::-1]) / 2, jnp.full((1,), 0.5, coverage.dtype), outside])
    r = prediction - target
    return 2 * jnp.mean(r * sided(r, -low, high))
