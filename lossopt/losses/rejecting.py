"""Robust losses with a rejection point: an example beyond it has no pull at all. None is convex.

Each is `r**2 / 2` at the origin, with c in the unit of the target. The default c gives 95 % efficiency at Gaussian
noise of unit standard deviation.
"""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from . import _shapes
from ._arguments import like, residual, Scalar
from ._card import LossCard
from ._kinds import POSITIVE_FINITE
from ._register import register


TUKEY_95, HAMPEL_95, ANDREWS_95, TRUNCATED_95 = (
    4.685064948543376,
    5.527989734731175,
    1.3387108592108707,
    2.7954834829151074,
)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{c^2}{6}\left(1 - (1 - (r/c)^2)^3\right) \text{ if } |r| \le c, \text{ else } \tfrac{c^2}{6}",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: 16 * c / (25 * math.sqrt(5)),
        smoothness=1.0,
        least_curvature=-0.8,
        supremum=lambda c: c * c / 6,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == TUKEY_95 else None,
        aliases={
            "statsmodels.robust.norms.TukeyBiweight": 1.0,
        },
        reference="Beaton and Tukey (1974)",
    )
)
def tukey(prediction: Scalar, target: Scalar, *, c: ArrayLike = TUKEY_95) -> Float[Array, ""]:
    """The biweight: beyond `c` an example has no pull at all.

    Formula: `c**2 / 6 (1 - (1 - (r/c)**2)**3)` inside, `c**2 / 6` outside; computed from
    `g = (1 - r/c)(1 + r/c)` as `(r/c)**2 (1 + g + g**2)`, so that neither end cancels. statsmodels'
    `TukeyBiweight` and R's `psi.bisquare` have the same factor.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: rejection point in the unit of the target, in (0, inf).

    Source: Beaton and Tukey (1974), Technometrics 16, section 5.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return c / 6 * (c * _shapes.biweight(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\psi(r) = \operatorname{sign}(r) \max\left(0, \min(|r|, \tfrac{c}{4}, \tfrac{c - |r|}{2})\right)",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: c / 4,
        smoothness=1.0,
        least_curvature=-1 / 2,
        supremum=lambda c: 5 * c * c / 32,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == HAMPEL_95 else None,
        reference="Hampel (1974)",
    )
)
def hampel(prediction: Scalar, target: Scalar, *, c: ArrayLike = HAMPEL_95) -> Float[Array, ""]:
    """Squared, then absolute, then flattening: the pull is that of Huber up to `c/2`, and falls in a line to 0 at `c`.

    Formula of the slope: r up to `c/4`, `c/4` up to `c/2`, `(c - |r|) / 2` up to c, 0 beyond. The loss is
    `r**2 / 2`, `c/4 (|r| - c/8)`, `c**2 5/32 - (c - |r|)**2 / 4` and `c**2 5/32`: summed over the pieces, each of the
    part of r that lies in it, so that no term cancels. At a knot the curvature of the inner piece is reported.

    One scale c moves the three knots together, in the proportion 2 : 4 : 8 that is the default of R's `psi.hampel` and
    of statsmodels' `Hampel(a=c/4, b=c/2, c=c)`, whose factor this is.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: rejection point in the unit of the target, in (0, inf); the default is 5.5280.

    Source: Hampel (1974), Journal of the American Statistical Association 69.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return c * (c * _shapes.hampel(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"c^2 (1 - \cos(r/c)) \text{ if } |r| \le \pi c, \text{ else } 2 c^2",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: float(c),
        smoothness=1.0,
        least_curvature=-1.0,
        supremum=lambda c: 2 * c * c,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == ANDREWS_95 else None,
        aliases={
            "statsmodels.robust.norms.AndrewWave": 1.0,
        },
        reference="Andrews et al. (1972)",
    )
)
def andrews(prediction: Scalar, target: Scalar, *, c: ArrayLike = ANDREWS_95) -> Float[Array, ""]:
    """The sine wave: the slope is half a wave of `c sin(r/c)`, and 0 beyond `pi c`.

    Formula: `c**2 (1 - cos(r/c))`, as `2 c**2 sin(r / (2 c))**2`, up to `|r| = pi c`, and `2 c**2` beyond. statsmodels'
    `AndrewWave(c)` has the same factor.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf); the default is 1.3387. The rejection point is `pi c`.

    Source: Andrews et al. (1972), Robust Estimates of Location, chapter 2.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return c * (c * _shapes.andrews(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac12 \min(r^2, c^2)",
        hyperparameters={"c": POSITIVE_FINITE},
        kinks=lambda c: (-float(c), float(c)),
        lipschitz=lambda c: float(c),
        smoothness=1.0,
        least_curvature=-math.inf,
        supremum=lambda c: c * c / 2,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == TRUNCATED_95 else None,
        reference="Hinich and Talwar (1975)",
    )
)
def truncated_quadratic(prediction: Scalar, target: Scalar, *, c: ArrayLike = TRUNCATED_95) -> Float[Array, ""]:
    """Least squares that drops every example further away than `c`. Also called Talwar, or trimmed mean.

    Formula: `min(r**2, c**2) / 2`. The slope falls from c to 0 at `|r| = c`, where the inner slope, r, is chosen.
    statsmodels' `TrimmedMean(c)` has the same factor and the same slope at c.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: rejection point in the unit of the target, in (0, inf); the default is 2.7955.

    Source: Hinich and Talwar (1975), Journal of the American Statistical Association 70.
    """
    r = residual(prediction, target)
    c = like(c, r)
    outside = jnp.abs(r) > c
    kept = jnp.where(outside, 0.0, r)
    return 0.5 * (kept * kept + jnp.where(outside, c * c, 0.0))
