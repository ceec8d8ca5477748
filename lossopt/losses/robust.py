"""Robust losses beyond Huber: the pull of an outlier vanishes as it moves away. None is convex, unless said.

Each is `r**2 / 2` at the origin, with c in the unit of the target. The default c gives 95 % efficiency at Gaussian
noise of unit standard deviation.
"""

import math

from jax.typing import ArrayLike
from jaxtyping import Array, Float

from . import _shapes
from ._arguments import like, residual, Scalar
from ._card import LossCard
from ._elementary import log1p_square
from ._kinds import POSITIVE_FINITE
from ._register import register


CAUCHY_95, FAIR_95, WELSCH_95, GEMAN_MCCLURE_95 = (
    2.3849471193621574,
    1.3997768124640206,
    2.984637176299057,
    3.7874187608383805,
)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{c^2}{2} \log(1 + (r/c)^2)",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: c / 2,
        smoothness=1.0,
        least_curvature=-1 / 8,
        redescending=True,
        origin=2,
        tails="logarithmic",
        efficiency=lambda c: 0.95 if c == CAUCHY_95 else None,
        # With c**2 - 1 degrees of freedom: for smaller c, exp(-loss) has no finite integral.
        noise=lambda c: "student t" if c > 1 else None,
        reference="Black and Anandan (1996)",
    )
)
def cauchy(prediction: Scalar, target: Scalar, *, c: ArrayLike = CAUCHY_95) -> Float[Array, ""]:
    """Logarithmic in the tails: the pull peaks at `|r| = c` and then falls like 1/r. Also called Lorentzian.

    Formula: `c**2 / 2 log(1 + (r/c)**2)`, as `c**2 log|r/c|` where the square would overflow. SciPy's
    `least_squares(loss="cauchy", f_scale=c)` minimises the same function.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf).

    Source: Black and Anandan (1996), Computer Vision and Image Understanding 63, table 1.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return 0.5 * c * (c * log1p_square(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"c^2 \left(|r/c| - \log(1 + |r/c|)\right)",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: float(c),
        smoothness=1.0,
        origin=2,
        efficiency=lambda c: 0.95 if c == FAIR_95 else None,
        reference="Fair (1974)",
    )
)
def fair(prediction: Scalar, target: Scalar, *, c: ArrayLike = FAIR_95) -> Float[Array, ""]:
    """The one convex loss here: the pull rises towards `c`, slowly, and never quite gets there.

    Formula: `c**2 (|r/c| - log(1 + |r/c|))`, with slope `r / (1 + |r/c|)`. Near zero, where the two terms cancel,
    the logarithm is a series in `|r/c| / (2 + |r/c|)`, whose first term is taken out.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf); the default is 1.3998.

    Source: Fair (1974), Annals of Economic and Social Measurement 3.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return c * (c * _shapes.fair(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac{c^2}{2} \left(1 - e^{-(r/c)^2}\right)",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: c * math.exp(-0.5) / math.sqrt(2),
        smoothness=1.0,
        least_curvature=-2 * math.exp(-1.5),
        supremum=lambda c: c * c / 2,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == WELSCH_95 else None,
        reference="Dennis and Welsch (1978)",
    )
)
def welsch(prediction: Scalar, target: Scalar, *, c: ArrayLike = WELSCH_95) -> Float[Array, ""]:
    """The pull of an outlier falls off like a Gaussian bell. Also called Leclerc, or correntropy.

    Formula: `c**2 / 2 (1 - exp(-(r/c)**2))`, from expm1. General_robust at alpha = -inf with scale `c / sqrt(2)` is
    this divided by its squared scale.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf); the default is 2.9846.

    Source: Dennis and Welsch (1978), Communications in Statistics B 7; Leclerc (1989).
    """
    r = residual(prediction, target)
    c = like(c, r)
    return 0.5 * c * (c * _shapes.welsch(r / c))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac12 \frac{r^2}{1 + (r/c)^2}",
        hyperparameters={"c": POSITIVE_FINITE},
        lipschitz=lambda c: 3 * math.sqrt(3) * c / 16,
        smoothness=1.0,
        least_curvature=-1 / 4,
        supremum=lambda c: c * c / 2,
        redescending=True,
        origin=2,
        tails="constant",
        efficiency=lambda c: 0.95 if c == GEMAN_MCCLURE_95 else None,
        reference="Geman and McClure (1987)",
    )
)
def geman_mcclure(prediction: Scalar, target: Scalar, *, c: ArrayLike = GEMAN_MCCLURE_95) -> Float[Array, ""]:
    """Bounded, with a pull that dies out like the inverse cube of the residual.

    Formula: `r**2 / 2 / (1 + (r/c)**2)`, as `u (u / (1 + u**2))` with `u = r/c` held where its square is finite.
    General_robust at alpha = -2 with scale `c / 2` is this divided by its squared scale.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        c: scale in the unit of the target, in (0, inf); the default is 3.7874.

    Source: Geman and McClure (1987), Bulletin of the International Statistical Institute 52.
    """
    r = residual(prediction, target)
    c = like(c, r)
    return 0.5 * c * (c * _shapes.geman(r / c))
