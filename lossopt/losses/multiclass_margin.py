"""Losses of a vector of scores that look at the gaps between the labelled class and its rivals.

A score of -inf masks a class: it is no rival. Where several rivals are equal, the first of them is the one pulled down.
"""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ._arguments import known, label, Scalar, Vector, widened
from ._card import LossCard
from ._elementary import softplus, with_gradient
from ._register import register


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\log(1 + e^{-z_y}) + \sum_{i \ne y} \log(1 + e^{z_i})",
        lipschitz=None,
        smoothness=1 / 4,
        zero_at_perfect_fit=False,
        elicits="log-odds against the rest",
        proper=False,
        calibrated=True,
        reference="Rifkin and Klautau (2004)",
    )
)
def one_versus_rest(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """One binary cross-entropy a class, summed: each logit says whether the example is of its class.

    Formula: `softplus(-z_y) + sum_{i != y} softplus(z_i)`. The minimiser of entry i is the log-odds of class i against
    all others, so sigmoid and not softmax gives probabilities. The Lipschitz constant is sqrt(k).

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k). The loss is in nats.

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Rifkin and Klautau (2004), Journal of Machine Learning Research 5.
    """
    z, y, legal = label(prediction, target)
    return legal * jnp.sum(softplus(jnp.where(y == 1, -z, z)))


# The gradients of these losses are made of whole numbers, written down below: reverse mode would sum floats over every
# row to find them, several times, which on a CPU costs as much as five copies of the batch.


def _scores(prediction: Vector, target: Scalar) -> tuple[Array, Array, Array]:
    """The scores, the label, and 1; NaN instead of 1 where a score is NaN or the label illegal."""
    z, _, legal = label(prediction, target)
    return z, widened(target), known(z, legal)


def _is(place: Array, z: Array) -> Array:
    """Which entry of z is the one at a place."""
    return jnp.arange(z.size, dtype=place.dtype) == place


def _lead(z: Array, y: Array) -> tuple[Array, Array]:
    """How far the strongest rival lies above the labelled class, and its place: of equals the first."""
    strongest = jnp.argmax(jnp.where(_is(y, z), -jnp.inf, z))
    top = z[strongest]
    # Where all rivals are masked, the place is no rival's.
    alone = (top == -jnp.inf) | (strongest.astype(y.dtype) == y)
    return jnp.where(alone, -jnp.inf, top - z[y]), strongest


def _pulls(z: Array, y: Array, strongest: Array) -> Array:
    """1 for the strongest rival, -1 for the labelled class."""
    return _is(strongest, z).astype(z.dtype) - _is(y, z).astype(z.dtype)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\max(0, 1 + \max_{i \ne y} z_i - z_y)",
        kinks=(1.0,),
        lipschitz=math.sqrt(2),
        proper=False,
        calibrated=False,
        aliases={
            "optax.losses.multiclass_hinge_loss": 1.0,
            "jaxopt.loss.multiclass_hinge_loss": 1.0,
        },
        reference="Crammer and Singer (2001)",
    )
)
def crammer_singer(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """The multiclass hinge: the labelled class must lead its strongest rival by 1.

    Formula: `max(0, 1 + max_{i != y} z_i - z_y)`. At the margin 1 the sub-gradient chosen is 0; of equal rivals the
    first is pulled down. Where no class has probability above 1/2 its minimiser need not find the likeliest.
    scikit-learn: `LinearSVC(multi_class="crammer_singer")`, `hinge_loss` with a matrix of scores.

    Args:
        prediction: (k,) scores; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Crammer and Singer (2001), Journal of Machine Learning Research 2.
    """
    return _crammer_singer(*_scores(prediction, target))


def _crammer_singer_gradient(z: Array, y: Array, legal: Array) -> Array:
    lead, strongest = _lead(z, y)
    return legal * jnp.where(1 + lead <= 0, 0.0, _pulls(z, y, strongest))


@with_gradient(_crammer_singer_gradient)
def _crammer_singer(z: Array, y: Array, legal: Array) -> Array:
    return legal * jnp.maximum(0.0, 1 + _lead(z, y)[0])


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\sum_{i \ne y} \max(0, 1 + z_i - z_y)",
        kinks=(1.0,),
        lipschitz=None,
        proper=False,
        calibrated=False,
        reference="Weston and Watkins (1999)",
    )
)
def weston_watkins(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """One hinge a rival, summed: the labelled class must lead every rival by 1.

    Formula: `sum_{i != y} max(0, 1 + z_i - z_y)`; the sub-gradient chosen at a margin of 1 is 0. The Lipschitz constant
    is sqrt(k (k - 1)). Its minimiser need not find the likeliest class.

    Args:
        prediction: (k,) scores; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Weston and Watkins (1999), European Symposium on Artificial Neural Networks.
    """
    return _weston_watkins(*_scores(prediction, target))


def _shortfalls(z: Array, y: Array) -> Array:
    """How far each rival is from trailing the labelled class by 1: at most 0 if it does, or takes no part."""
    none = _is(y, z) | (z == -jnp.inf)
    return jnp.where(none, -jnp.inf, 1 + (z - z[y]))


def _weston_watkins_gradient(z: Array, y: Array, legal: Array) -> Array:
    near = _shortfalls(z, y) > 0
    count = jnp.sum(near, dtype=jnp.int32).astype(z.dtype)
    return legal * jnp.where(_is(y, z), -count, near.astype(z.dtype))


@with_gradient(_weston_watkins_gradient)
def _weston_watkins(z: Array, y: Array, legal: Array) -> Array:
    return legal * jnp.sum(jnp.maximum(0.0, _shortfalls(z, y)))


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\max(0, \max_{i \ne y} z_i - z_y)",
        kinks=(0.0,),
        lipschitz=math.sqrt(2),
        proper=False,
        calibrated=False,
        aliases={
            "optax.losses.multiclass_perceptron_loss": 1.0,
            "jaxopt.loss.multiclass_perceptron_loss": 1.0,
        },
        reference="Crammer and Singer (2003)",
    )
)
def multiclass_perceptron(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """How far the strongest rival lies above the labelled class. Equal scores always minimise it.

    Formula: `max(0, max_{i != y} z_i - z_y)`. A tie is a mistake, as in the binary `perceptron`: there the slope is 1
    in the first of the strongest rivals and -1 in the labelled class, so that learning starts from parameters of 0.

    Args:
        prediction: (k,) scores; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Crammer and Singer (2003), Journal of Machine Learning Research 3; the rule itself Rosenblatt (1958).
    """
    return _perceptron(*_scores(prediction, target))


def _perceptron_gradient(z: Array, y: Array, legal: Array) -> Array:
    lead, strongest = _lead(z, y)
    return legal * jnp.where(lead < 0, 0.0, _pulls(z, y, strongest))


@with_gradient(_perceptron_gradient)
def _perceptron(z: Array, y: Array, legal: Array) -> Array:
    return legal * jnp.maximum(0.0, _lead(z, y)[0])
