"""Losses of the residual r = prediction - target that are convex."""

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import like, residual, Scalar, sided
from ._card import LossCard
from ._elementary import charbonnier, log_cosh as _log_cosh
from ._kinds import POSITIVE, POSITIVE_FINITE
from ._register import register


# Thresholds in units of the noise's standard deviation at which the efficiency at Gaussian noise is 95 %.
PSEUDO_HUBER_95, LOG_COSH_95 = 1.2870992242661912, 1.2047066897806793


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"r^2",
        smoothness=2.0,
        least_curvature=2.0,
        origin=2,
        tails="quadratic",
        elicits="mean",
        efficiency=1.0,
        noise="gaussian",
        aliases={
            "optax.losses.squared_error": 1.0,
            "optax.losses.l2_loss": 2.0,
            "keras.losses.mean_squared_error": 1.0,
            "torch.nn.functional.mse_loss": 1.0,
            "sklearn.metrics.mean_squared_error": 1.0,
        },
        reference="Legendre (1805); Gauss (1809)",
    )
)
def squared_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The square of the residual: the summand of MSE and RMSE.

    Formula: `r**2`, without a factor one half; the slope is `2 r`. Nothing is dropped.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.

    Source: Legendre (1805), Nouvelles méthodes, appendix.
    """
    r = residual(prediction, target)
    return r * r


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac12 r^2",
        smoothness=1.0,
        least_curvature=1.0,
        origin=2,
        tails="quadratic",
        elicits="mean",
        efficiency=1.0,
        noise="gaussian",
        aliases={
            "optax.losses.l2_loss": 1.0,
            "optax.losses.squared_error": 0.5,
            "sklearn._loss.HalfSquaredError": 1.0,
            "statsmodels.robust.norms.LeastSquares": 1.0,
        },
        reference="Gauss (1809)",
    )
)
def half_squared_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """Half the square of the residual; the slope is `r` itself.

    Formula: `r**2 / 2`, the negative log likelihood of unit Gaussian noise without its constant
    `log(2 pi) / 2`. optax calls it `l2_loss`, scikit-learn `HalfSquaredError`.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.

    Source: Gauss (1809), Theoria motus, section 175.
    """
    r = residual(prediction, target)
    return 0.5 * (r * r)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"|r|",
        kinks=(0.0,),
        lipschitz=1.0,
        origin=1,
        elicits="median",
        efficiency=2 / math.pi,
        noise="laplace",
        aliases={
            "keras.losses.mean_absolute_error": 1.0,
            "torch.nn.functional.l1_loss": 1.0,
            "sklearn._loss.AbsoluteError": 1.0,
            "sklearn.metrics.mean_absolute_error": 1.0,
        },
        reference="Boscovich (1757); Laplace (1774)",
    )
)
def absolute_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The size of the residual: the summand of MAE. Every outlier pulls equally.

    Formula: `|r|`; the slope is sign(r), and 0 is the sub-gradient chosen at r = 0.

    Args:
        prediction, target: real numbers in the unit of the target, which is also the loss's.

    Source: Laplace (1774), Mémoire sur la probabilité des causes.
    """
    r = residual(prediction, target)
    return r * sided(r, -1.0, 1.0)


def _huber_efficiency(delta: float) -> float:
    # (E psi')**2 / E psi**2 at the standard normal (Huber 1964, section 4).
    outside = math.erfc(delta / math.sqrt(2))
    if outside == 0:
        return 1.0
    delta = max(delta, 1e-8)  # for less it is 2 / pi to seven digits, and what is subtracted below would have fewer
    inside = math.erf(delta / math.sqrt(2))
    density = math.exp(-delta * delta / 2) / math.sqrt(2 * math.pi)
    return inside**2 / (inside - 2 * delta * density + delta**2 * outside)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\tfrac12 r^2 \text{ if } |r| \le \delta, \text{ else } \delta(|r| - \tfrac12\delta)",
        hyperparameters={"delta": POSITIVE},
        lipschitz=lambda delta: float(delta),
        smoothness=1.0,
        least_curvature=lambda delta: 1.0 if math.isinf(delta) else 0.0,
        origin=2,
        tails=lambda delta: "quadratic" if math.isinf(delta) else "linear",
        elicits=lambda delta: "mean" if math.isinf(delta) else None,
        efficiency=_huber_efficiency,
        aliases={
            "optax.losses.huber_loss": 1.0,
            "keras.losses.huber": 1.0,
            "torch.nn.functional.huber_loss": 1.0,
            "jaxopt.loss.huber_loss": 1.0,
            "sklearn._loss.HuberLoss": 1.0,
            "statsmodels.robust.norms.HuberT": 1.0,
            "scipy.special.huber": 1.0,
        },
        reference="Huber (1964)",
    )
)
def huber(prediction: Scalar, target: Scalar, *, delta: ArrayLike = 1.0) -> Float[Array, ""]:
    """Squared near zero and absolute in the tails: no example pulls with more than `delta`.

    Formula: `r**2 / 2` if `|r| <= delta`, else `delta (|r| - delta / 2)`. The same as optax's and
    PyTorch's `huber_loss`; PyTorch's `smooth_l1_loss(beta)` is this divided by beta. 1.345 times the
    standard deviation of the noise gives 95 % efficiency at the Gaussian.

    The residual is split into the part for the bowl and the part for the cone before either formula
    is applied, so `delta = inf` is exactly half the squared error.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        delta: threshold in the unit of the target, in (0, inf].

    Source: Huber (1964), Annals of Mathematical Statistics 35, equation (4.2).
    """
    r = residual(prediction, target)
    delta = like(delta, r)
    outside = jnp.abs(r) > delta
    bowl, cone = jnp.where(outside, 0.0, r), jnp.where(outside, r, 0.0)
    force = jnp.where(outside, jnp.sign(r) * delta, 0.0)
    return 0.5 * bowl**2 + force * (cone - 0.5 * force)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\delta^2 \left(\sqrt{1 + (r/\delta)^2} - 1\right)",
        hyperparameters={"delta": POSITIVE_FINITE},
        lipschitz=lambda delta: float(delta),
        smoothness=1.0,
        origin=2,
        efficiency=lambda delta: 0.95 if delta == PSEUDO_HUBER_95 else None,
        aliases={
            "scipy.special.pseudo_huber": 1.0,
        },
        reference="Charbonnier et al. (1994)",
    )
)
def pseudo_huber(prediction: Scalar, target: Scalar, *, delta: ArrayLike = 1.0) -> Float[Array, ""]:
    """A Huber loss without a knot: every derivative exists.

    Formula: `delta**2 (sqrt(1 + (r/delta)**2) - 1)`, computed as `delta |r| (u / (1 + sqrt(1 + u**2)))`
    with `u = |r| / delta`, which loses no digits at small r and does not overflow at large. Also called
    Charbonnier or L1-L2; scipy.special.pseudo_huber has the same factor. 1.2871 times the standard deviation of the
    noise gives 95 % efficiency at the Gaussian.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        delta: threshold in the unit of the target, in (0, inf).

    Source: Charbonnier et al. (1994), ICIP, table 1.
    """
    r = residual(prediction, target)
    delta = like(delta, r)
    return delta * (delta * charbonnier(r / delta))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"s^2 \log\cosh(r/s)",
        hyperparameters={"scale": POSITIVE_FINITE},
        lipschitz=lambda scale: float(scale),
        smoothness=1.0,
        origin=2,
        efficiency=lambda scale: 0.95 if scale == LOG_COSH_95 else None,
        noise=lambda scale: "hyperbolic secant" if scale == 1 else None,
        aliases={
            "optax.losses.log_cosh": 1.0,
            "keras.losses.log_cosh": 1.0,
        },
        reference="Green (1990)",
    )
)
def log_cosh(prediction: Scalar, target: Scalar, *, scale: ArrayLike = 1.0) -> Float[Array, ""]:
    """Squared near zero and absolute in the tails, with tanh as its slope.

    Formula: `scale**2 log cosh(r / scale)`; with `m = expm1(-|u|)` the argument of log1p is
    `m**2 / (2 (1 + m))` near zero and `(1 + m)**2` beyond, so neither cosh nor its logarithm rounds.
    At scale 1 it is the `log_cosh` of optax, Keras and LightGBM. 1.2047 times the standard deviation of the noise gives
    95 % efficiency at the Gaussian.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        scale: half-width of the bowl in the unit of the target, in (0, inf).

    Source: Green (1990), IEEE Transactions on Medical Imaging 9, equation (13).
    """
    r = residual(prediction, target)
    scale = like(scale, r)
    return scale * (scale * _log_cosh(r / scale))
