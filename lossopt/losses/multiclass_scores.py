"""Losses of the probabilities that a vector of logits states, beside cross-entropy itself."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import label, like, non_negative, Scalar, simplex, times, Vector
from ._card import LossCard
from ._elementary import differentiated_by, excess, relative_expm1, with_gradient
from ._kinds import Interval, NON_NEGATIVE_FINITE
from ._register import register
from ._softmax import centred, cross_entropy, error_of, missed, normalised, probabilities, surplus
from .focal import focal_extrema
from .margin_robust import SQUARED_SIGMOID_BENDS, SQUARED_SIGMOID_SLOPE
from .multiclass import even, growth, heaviest, reach, void, weighted


def poly_slope(linear: float, epsilon: float) -> float:
    """The largest slope of `linear * log(1 + e^-m) + epsilon * sigmoid(-m)` in the margin m of two classes."""
    # q (linear + epsilon (1 - q)) with q = sigmoid(-m).
    inside = (linear / epsilon + 1) / 2 if epsilon != 0 else math.inf
    return max(abs(q * (linear + epsilon * (1 - q))) for q in (1.0, inside) if 0 <= q <= 1)


def poly_bends(linear: float, epsilon: float) -> tuple[float, float]:
    """The largest and the least curvature of the same."""
    # (1 - u**2) (linear + epsilon u) / 4 with u = 1 - 2 q.
    root = math.hypot(linear, math.sqrt(3) * epsilon)
    if not math.isfinite(root):
        return math.nan, math.nan
    places = [(sign * root - linear) / epsilon / 3 for sign in (1, -1)] if epsilon != 0 else [0.0]
    found = [(1 - u * u) * (linear + epsilon * u) / 4 for u in places if abs(u) <= 1]
    return max(found), min(0.0, *found)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"-\log p_y + \epsilon (1 - p_y)",
        hyperparameters={"epsilon": Interval(-1.0, math.inf, (True, False))},
        lipschitz=lambda epsilon: math.sqrt(2) * poly_slope(1.0, epsilon),
        smoothness=lambda epsilon: 2 * poly_bends(1.0, epsilon)[0],
        least_curvature=lambda epsilon: 2 * poly_bends(1.0, epsilon)[1],
        zero_at_perfect_fit=False,
        elicits=lambda epsilon: "log-odds" if epsilon == 0 else None,
        proper=lambda epsilon: epsilon == 0,
        calibrated=True,
        noise=lambda epsilon: "categorical" if epsilon == 0 else None,
        reference="Leng et al. (2022)",
    )
)
def poly1(prediction: Vector, target: Scalar, *, epsilon: ArrayLike = 2.0) -> Float[Array, ""]:
    """Cross-entropy with another weight on the first term of its series in 1 - p. It is not proper.

    Formula: `-log p_y + epsilon (1 - p_y)`, as `(1 + epsilon) (1 - p_y) + (-log p_y - (1 - p_y))`, two terms that are
    never negative. A logit of -inf masks a class.

    Args:
        prediction: (k,) logits. target: an integer in [0, k). The loss is in nats.
        epsilon: the weight added, in [-1, inf). At 1 the curvature by an improbable label is of second order in its
            probability, and known to the rounding of the first.

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Leng et al. (2022), International Conference on Learning Representations, equation (5).
    """
    logits, y, legal = label(prediction, target)
    cost = cross_entropy(logits, y)
    return legal * ((1 + like(epsilon, logits)) * missed(cost) + surplus(cost))


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"w_y (1 - p_y)^\gamma (-\log p_y)",
        hyperparameters={"gamma": NON_NEGATIVE_FINITE, "class_weights": NON_NEGATIVE_FINITE},
        lipschitz=lambda gamma, class_weights: math.sqrt(2) * heaviest(class_weights) * focal_extrema(float(gamma))[0],
        smoothness=lambda gamma, class_weights: 2 * heaviest(class_weights) * focal_extrema(float(gamma))[1],
        least_curvature=lambda gamma, class_weights: (
            2 * heaviest(class_weights) * focal_extrema(float(gamma))[2] if gamma > 0 else 0.0
        ),
        supremum=reach,
        redescending=void,
        symmetric=even,
        tails=growth,
        zero_at_perfect_fit=void,
        proper=lambda gamma, class_weights: gamma == 0 and even(class_weights) and not void(class_weights),
        calibrated=lambda class_weights: even(class_weights) and not void(class_weights),
        reference="Lin et al. (2017)",
    )
)
def categorical_focal(
    prediction: Vector, target: Scalar, *, gamma: ArrayLike = 2.0, class_weights: ArrayLike | None = None
) -> Float[Array, ""]:
    """Cross-entropy of logits that turns away from easy examples. It is not proper: it understates what is likely.

    Formula: `w_y (1 - p_y)**gamma (-log p_y)`, a function of the cross-entropy alone, with finite derivatives for gamma
    below 1 and at any logit. Of two classes it is `focal` of the difference of the logits. Keras:
    `CategoricalFocalCrossentropy`, whose alpha is a class weight and 0.25 by default.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k). The loss is in nats.
        gamma: how fast easy examples fade, in [0, inf); 0 is cross-entropy.
        class_weights: (k,) factors by label, or None for 1.

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Lin et al. (2017), ICCV, equations (4) and (5).
    """
    logits, y, legal = label(prediction, target)
    return weighted(legal * _faded(cross_entropy(logits, y), like(gamma, logits)), y, legal, class_weights)


def _held(cost: Array) -> Array:
    # From 1e3 on p is 0 in any float; below the floor all is rounded to 0, but its inverse is finite.
    return jnp.clip(cost, float(jnp.finfo(cost.dtype).tiny), 1e3)


def _relative_odds(cost: Array) -> Array:
    """cost p / (1 - p) for p = exp(-cost): 1 at 0."""
    cost = _held(cost)
    # The inverse first, so that no derivative underflows on the way.
    return jnp.exp(-cost) * (1 / relative_expm1(-cost))


@differentiated_by(lambda cost, gamma: gamma * (_fading(cost, gamma) * _relative_odds(cost) / _held(cost)))
def _fading(cost: Array, gamma: Array) -> Array:
    """(1 - p)**gamma."""
    return jnp.exp(times(gamma, jnp.log(missed(_held(cost)))))


@differentiated_by(lambda cost, gamma: _fading(cost, gamma) * (1 + gamma * _relative_odds(cost)))
def _faded(cost: Array, gamma: Array) -> Array:
    """(1 - p)**gamma cost for p = exp(-cost)."""
    return _fading(cost, gamma) * cost


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\sum_i (p_i - [i = y])^2",
        lipschitz=2 * math.sqrt(2) * SQUARED_SIGMOID_SLOPE,
        smoothness=4 * SQUARED_SIGMOID_BENDS[1],
        least_curvature=4 * SQUARED_SIGMOID_BENDS[0],
        supremum=2.0,
        redescending=True,
        tails="constant",
        zero_at_perfect_fit=False,
        elicits="log-odds",
        proper=True,
        calibrated=True,
        reference="Brier (1950)",
    )
)
def multiclass_brier(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """Squared error of the probabilities that logits state: proper and bounded, but not convex in the logits.

    Formula: `sum_i (softmax(z)_i - [i = y])**2`, as Brier wrote it: for two classes it is twice `brier`.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Brier (1950), Monthly Weather Review 78, equation (2).
    """
    logits, y, legal = label(prediction, target)
    return legal * _square(logits, y)


def _square_bend(logits: Array, y: Array, d: Array) -> Array:
    """The derivative of the slope along d, from the same centred vectors."""
    p, likeliest = probabilities(logits)
    error, along = centred(p, likeliest, error_of(logits, y)), centred(p, likeliest, d)
    return 2 * p * (error * along + centred(p, likeliest, p * along) - jnp.sum(p * error * along))


@jax.custom_jvp
def _square_slope(logits: Array, y: Array) -> Array:
    """2 p_i (e_i - sum_j p_j e_j) with the errors e = p - y."""
    p, likeliest = probabilities(logits)
    return 2 * p * centred(p, likeliest, error_of(logits, y))


@_square_slope.defjvp
def _(primals, tangents):
    return _square_slope(*primals), _square_bend(*primals, tangents[0])


@with_gradient(_square_slope)
def _square(logits: Array, y: Array) -> Array:
    error = error_of(logits, y)
    return jnp.sum(error * error)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="simplex",
        formula=r"\sum_i q_i \log(q_i / \mathrm{softmax}(z)_i)",
        lipschitz=math.sqrt(2),
        smoothness=0.5,
        zero_at_perfect_fit=False,
        elicits="log-odds",
        proper=True,
        calibrated=True,
        noise="categorical",
        reference="Kullback and Leibler (1951)",
    )
)
def kl_divergence(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """Cross-entropy of logits less the entropy of the target: 0 where the logits state the target's probabilities.

    Formula: `sum_i q_i log(q_i / p_i)` with `p = softmax(z)`, as `sum_i q_i (e^d_i - 1 - d_i)` with `d = log(p / q)`
    and p_i for q_i = 0, in which no term is negative. A class with q_i = 0 takes no other part, so the slope chosen in
    such a q_i is 0, where it is minus infinity; a logit of -inf is legal there and costs inf elsewhere. The prediction
    is logits, as everywhere; optax's `kl_divergence` and PyTorch's `kl_div` take log-probabilities, on which softmax
    changes nothing.

    Args:
        prediction: (k,) logits. target: (k,) probabilities, zeros included. The loss is in nats.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Kullback and Leibler (1951), Annals of Mathematical Statistics 22, equation (2.4).
    """
    return _divergence(*simplex(prediction, target))


@with_gradient(error_of)
def _divergence(logits: Array, q: Array) -> Array:
    q = non_negative(q)
    shifted, normaliser = normalised(logits)
    none = q == 0
    log_p = shifted - normaliser
    terms = q * excess(jnp.where(none, 0.0, log_p) - jnp.log(jnp.where(none, 1.0, q)))
    return jnp.sum(jnp.where(none, jnp.exp(log_p), terms))
