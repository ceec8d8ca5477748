"""Losses made from a regulariser of the prediction map: sparsemax, and the factory for any other."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ._arguments import known, label, non_negative, Scalar, simplex, times, Vector
from ._card import LossCard
from ._elementary import with_gradient
from ._register import Loss, register


def _threshold(z: Array) -> tuple[Array, Array, Array]:
    """z - max z, which classes are kept, and the threshold: the kept ones' excess over it sums to 1.

    Of the first k classes in falling order it would be (z_(1) + ... + z_(k) - 1)/k, which rises with every class that
    is kept and falls with every other: it is the largest. No class is first asked whether it is kept, for one that lies
    at the threshold would be answered by rounding.
    """
    shifted = z - jnp.max(z)
    falling = -jnp.sort(-shifted)
    sums = jnp.cumsum(jnp.where(jnp.isinf(falling), 0.0, falling))
    place = jnp.arange(1, z.size + 1, dtype=z.dtype)
    threshold = jnp.max(jnp.where(jnp.isinf(falling), -jnp.inf, (sums - 1) / place))
    return shifted, shifted > threshold, threshold


@jax.custom_jvp
def _sparse_error(z: Array, y: Array) -> Array:
    """p - y for p = sparsemax(z) and a one-hot y; at the label minus the sum of the others."""
    shifted, kept, threshold = _threshold(z)
    others = jnp.where(kept & (y == 0), shifted - threshold, 0.0)
    return others - y * jnp.sum(others)


@_sparse_error.defjvp
def _(primals, tangents):
    # On the classes kept, d less its mean; 0 elsewhere.
    (z, y), (d, _) = primals, tangents
    kept = _threshold(z)[1].astype(z.dtype)
    return _sparse_error(z, y), kept * (d - jnp.sum(kept * d) / jnp.sum(kept))


@with_gradient(_sparse_error)
def _sparse_loss(z: Array, y: Array) -> Array:
    error, (shifted, _, threshold) = _sparse_error(z, y), _threshold(z)
    below = threshold - jnp.sum(jnp.where(y == 1, shifted, 0.0))
    return 0.5 * jnp.sum(error * error) + jnp.where(below > 0, below, 0.0)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\tfrac12 \|p - e_y\|^2 + \max(0, \tau - z_y), \quad p = \max(0, z - \tau)",
        lipschitz=math.sqrt(2),
        smoothness=1.0,
        elicits="scores of sparsemax",
        proper=False,
        calibrated=True,
        aliases={
            "optax.losses.multiclass_sparsemax_loss": 1.0,
            "jaxopt.loss.multiclass_sparsemax_loss": 1.0,
        },
        reference="Martins and Astudillo (2016)",
    )
)
def sparsemax(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """The loss of sparsemax, the nearest probabilities to the scores: exactly 0 once the label leads all rivals by 1.

    Formula: `|p - e_y|**2 / 2 + max(0, tau - z_y)` with `p = max(0, z - tau)` and tau such that p sums to 1; equal to
    the authors' `-z_y + sum_{kept} (z_i**2 - tau**2) / 2 + 1/2`, but without their cancellation. The gradient is
    p - e_y. tau comes from sorting; a class that lies at tau exactly is not kept. optax: `multiclass_sparsemax_loss`.

    Args:
        prediction: (k,) scores; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Martins and Astudillo (2016), International Conference on Machine Learning 33, section 3.
    """
    z, y, legal = label(prediction, target)
    # Counted from the largest: of a score of inf, or where all are masked, nothing is known either.
    return known(z - jnp.max(z), legal) * _sparse_loss(z, y)


def fenchel_young(regulariser: Callable[[Array], Array], conjugate: Callable[[Array], Array]) -> Loss:
    """A loss from a regulariser of probabilities: scores are mapped to those by the gradient of the conjugate.

    Formula: `Omega*(z) + Omega(q) - <z, q>`, never negative, and 0 where the map of z is q; the gradient is map less q.
    The scores are first counted from `<z, q>`, which changes nothing on the probability simplex and keeps most of the
    digits; what else the two functions round away is theirs. With the negative entropy and logsumexp it is
    `kl_divergence`, with half the squared length `sparsemax`: both keep all their digits, so prefer them. The loss has
    no card; `lossopt.check` measures it.

    Args:
        regulariser: Omega, a convex function of (k,) probabilities.
        conjugate: Omega*, the largest `<z, p> - Omega(p)` over all probabilities p, a function of (k,) scores.

    Returns:
        A loss of (k,) scores and a target: an integer in [0, k), or (k,) probabilities.

    Source: Blondel, Martins and Niculae (2020), Journal of Machine Learning Research 21, equation (14).
    """

    def loss(prediction: Vector, target: Vector | Scalar) -> Float[Array, ""]:
        if jnp.ndim(target) == 0:
            z, q, legal = label(prediction, target)
        else:
            z, q = simplex(prediction, target)
            legal = jnp.where(jnp.all(non_negative(q) == q), 1.0, jnp.nan).astype(z.dtype)
        score = jnp.sum(times(q, z))
        return legal * (conjugate(z - score) + regulariser(q))

    return loss
