"""Losses that are functions of the margin m = (2 target - 1) prediction, for a target in {0, 1}."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import like, margin, Scalar
from ._card import LossCard
from ._elementary import differentiated_by
from ._kinds import POSITIVE_FINITE
from ._register import register


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, 1 - m)",
        kinks=(1.0,),
        lipschitz=1.0,
        elicits="sign",
        proper=False,
        calibrated=True,
        aliases={
            "keras.losses.hinge": 1.0,
            "jaxopt.loss.binary_hinge_loss": 1.0,
            "sklearn.metrics.hinge_loss": 1.0,
        },
        reference="Cortes and Vapnik (1995)",
    )
)
def hinge(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The support-vector loss: linear up to the margin 1, zero beyond.

    Formula: `max(0, 1 - m)`; the sub-gradient chosen at m = 1 is 0. optax's `hinge_loss` and scikit-learn's
    `hinge_loss` are the same for labels of ±1; here the target is 0 or 1, as for every binary loss.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Cortes and Vapnik (1995), Machine Learning 20.
    """
    return _short(margin(prediction, target))


def _short(m: Array) -> Array:
    """max(0, 1 - m), with slope 0 at m = 1."""
    return jnp.where(m >= 1, 0.0, 1 - m)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, 1 - m)^2",
        smoothness=2.0,
        tails="quadratic",
        elicits="twice the probability less one",
        proper=False,
        calibrated=True,
        aliases={
            "keras.losses.squared_hinge": 1.0,
        },
        reference="Chang, Hsieh and Lin (2008)",
    )
)
def squared_hinge(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The hinge squared: differentiable everywhere, and quadratic on the wrong side.

    Formula: `max(0, 1 - m)**2`, without a factor one half, as in Keras and scikit-learn's LinearSVC.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Chang, Hsieh and Lin (2008), Journal of Machine Learning Research 9, equation (2).
    """
    short = _short(margin(prediction, target))
    return short * short


def _bend(m: Array, width: Array) -> Array:
    return jnp.where((m >= 1 - width) & (m < 1), 1 / width, 0.0)


@differentiated_by(_bend)
def _pull(m: Array, width: Array) -> Array:
    return -jnp.clip((1 - m) / width, 0.0, 1.0)


@differentiated_by(_pull)
def _smoothed(m: Array, width: Array) -> Array:
    """The hinge with its corner made a parabola over [1 - width, 1]."""
    # One part for the parabola and one for the line, so that neither sees a number at which it would overflow.
    knot = 1 - width
    line = m < knot
    bowl = jnp.where(line, width, jnp.where(m >= 1, 0.0, 1 - m))
    return bowl * (bowl / (2 * width)) + jnp.where(line, knot - m, 0.0)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"(1 - m)^2 / 2w \text{ if } 1 - w \le m \le 1, \text{ else } \max(0, 1 - m - w/2)",
        hyperparameters={"width": POSITIVE_FINITE},
        lipschitz=1.0,
        smoothness=lambda width: 1 / width,
        elicits=lambda width: "twice the probability less one" if width >= 2 else None,
        proper=False,
        calibrated=True,
        reference="Shalev-Shwartz and Zhang (2013)",
    )
)
def smoothed_hinge(prediction: Scalar, target: Scalar, *, width: ArrayLike = 1.0) -> Float[Array, ""]:
    """The hinge with a round corner: its Moreau envelope, quadratic over a stretch of `width` before the margin 1.

    Formula: 0 if `m >= 1`, `(1 - m)**2 / (2 width)` if `1 - width <= m < 1`, else `1 - m - width / 2`. With width 1
    it is the smooth hinge of Rennie and Srebro; as width goes to 0 it becomes `hinge`, and 4 times the one of
    width 2 is `modified_huber`.

    Args:
        prediction: a score, any real number. target: 0 or 1.
        width: length of the parabola, in the unit of the score, in (0, inf).

    Source: Shalev-Shwartz and Zhang (2013), Journal of Machine Learning Research 14, equation (8).
    """
    m = margin(prediction, target)
    return _smoothed(m, like(width, m))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, 1 - m)^2 \text{ if } m \ge -1, \text{ else } -4m",
        lipschitz=4.0,
        smoothness=2.0,
        elicits="twice the probability less one",
        proper=False,
        calibrated=True,
        reference="Zhang (2004)",
    )
)
def modified_huber(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The squared hinge, continued as a line from the margin -1 on, so that an outlier pulls with at most 4.

    Formula: `max(0, 1 - m)**2` if `m >= -1`, else `-4 m`; computed as 4 times the smoothed hinge of width 2.
    scikit-learn: `SGDClassifier(loss="modified_huber")`.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Zhang (2004), International Conference on Machine Learning 21.
    """
    m = margin(prediction, target)
    return 4 * _smoothed(m, like(2.0, m))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, -m)",
        kinks=(0.0,),
        lipschitz=1.0,
        proper=False,
        calibrated=False,
        aliases={
            "jaxopt.loss.binary_perceptron_loss": 1.0,
        },
        reference="Rosenblatt (1958)",
    )
)
def perceptron(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """Linear in the margin of what is misclassified, zero for all else. A score of 0 always minimises it.

    Formula: `max(0, -m)`. The sub-gradient chosen at m = 0 is -1, as in the perceptron's rule: a tie is a mistake, so
    that learning starts from parameters of 0. scikit-learn: `SGDClassifier(loss="perceptron")`.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Rosenblatt (1958), Psychological Review 65.
    """
    m = margin(prediction, target)
    return jnp.where(m > 0, 0.0, -m)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"e^{-m}",
        tails="exponential",
        zero_at_perfect_fit=False,
        elicits="half the log-odds",
        proper=False,
        calibrated=True,
        aliases={
            "sklearn._loss.ExponentialLoss": 1.0,
        },
        reference="Freund and Schapire (1997)",
    )
)
def exponential(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """What AdaBoost minimises: exponential in the margin, so one outlier can outweigh all other examples.

    Formula: `exp(-m)`; inf from a margin of -88.7 (float32) or -709.8 (float64). Its minimiser is half the log-odds,
    as in scikit-learn's `ExponentialLoss`, which is the same.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Freund and Schapire (1997), Journal of Computer and System Sciences 55; as a loss in Friedman,
    Hastie and Tibshirani (2000), Annals of Statistics 28.
    """
    return jnp.exp(-margin(prediction, target))
