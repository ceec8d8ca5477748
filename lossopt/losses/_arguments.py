"""How a loss reads its two arguments: as floats of one dtype, with an illegal target turned into NaN.

A pure function under `jit` cannot raise on a value, so an illegal target poisons the loss and its gradient.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Shaped


# A number or a vector; an integer or a boolean takes the dtype of the floats beside it.
Scalar = Shaped[ArrayLike, ""]
Vector = Shaped[ArrayLike, " k"]


def floats(*values: ArrayLike) -> tuple[Array, ...]:
    """All values in one floating dtype, that of the floating ones; the default float if none is."""
    floating = [value for value in values if jnp.issubdtype(jnp.result_type(value), jnp.floating)]
    dtype = jnp.result_type(*floating) if floating else jnp.result_type(float)
    return tuple(jnp.asarray(value, dtype) for value in values)


def like(value: ArrayLike, reference: Array) -> Array:
    """A hyperparameter in the dtype of the data, so that it never changes the dtype of the loss."""
    return jnp.asarray(value, reference.dtype)


def residual(prediction: ArrayLike, target: ArrayLike) -> Array:
    """r = prediction - target."""
    prediction, target = floats(prediction, target)
    return prediction - target


def unit(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """The prediction and a target in [0, 1]; any other target becomes NaN."""
    prediction, target = floats(prediction, target)
    return prediction, jnp.where((target >= 0) & (target <= 1), target, jnp.nan)


def margin(prediction: ArrayLike, target: ArrayLike) -> Array:
    """m = (2 target - 1) prediction, for a target in {0, 1}.

    NaN in either makes the sign NaN, and so every slope, whichever branch a loss then takes.
    """
    prediction, target = floats(prediction, target)
    legal = ((target == 0) | (target == 1)) & (prediction == prediction)
    return jnp.where(legal, 2 * target - 1, jnp.nan) * prediction


def widened(target: ArrayLike) -> Array:
    """The target; an integer in the default dtype, for a narrow one need not hold the number of classes."""
    target = jnp.asarray(target)
    return target.astype(int) if jnp.issubdtype(target.dtype, jnp.integer) else target


def label(logits: ArrayLike, target: ArrayLike) -> tuple[Array, Array, Array]:
    """The logits, the label as a one-hot vector, and 1; NaN instead of 1 for a label outside [0, k).

    Raises:
        TypeError: the target is not an integer.
        ValueError: the logits are not a vector, or the target is not a scalar.
    """
    (logits,), target = floats(logits), widened(target)
    if logits.ndim != 1 or target.ndim != 0:
        raise ValueError(
            f"This loss takes one vector of logits and one integer label, not shapes {logits.shape} and "
            f"{target.shape}; for a vector of probabilities as the target use softmax_cross_entropy_soft, "
            "and for a batch lossopt.per_example."
        )
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise TypeError(
            f"This loss takes an integer class label, not {target.dtype}: cast it with .astype(int), "
            "or use softmax_cross_entropy_soft for probabilities."
        )
    one_hot = (jnp.arange(logits.size, dtype=target.dtype) == target).astype(logits.dtype)
    legal = (target >= 0) & (target < logits.size)
    return logits, one_hot, jnp.where(legal, jnp.ones((), logits.dtype), jnp.nan)


def simplex(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """The prediction vector and a target vector of the same length.

    Raises:
        ValueError: the two are not vectors of one length.
    """
    prediction, target = floats(prediction, target)
    if prediction.ndim != 1 or prediction.shape != target.shape:
        raise ValueError(
            f"This loss takes two vectors of one length, not shapes {prediction.shape} and {target.shape}; "
            "an integer label needs jax.nn.one_hot(label, k) here, or the loss softmax_cross_entropy."
        )
    return prediction, target


def non_negative(target: Array) -> Array:
    """The target, with NaN for what is negative."""
    return jnp.where(target >= 0, target, jnp.nan)


def counted(prediction: ArrayLike, target: ArrayLike, zero: bool = True) -> tuple[Array, Array]:
    """The prediction and a target of at least 0 (above 0 unless `zero`); any other target becomes NaN."""
    prediction, target = floats(prediction, target)
    return prediction, non_negative(target) if zero else jnp.where(target > 0, target, jnp.nan)


def known(logits: Array, legal: Array) -> Array:
    """`legal`, or NaN where a logit is NaN: for losses that choose between logits, and could pass it over."""
    return jnp.where(jnp.isnan(jnp.max(logits)), jnp.nan, legal)


def known_zero(value: ArrayLike) -> bool:
    """Whether a hyperparameter is the plain number 0, so that what it switches on need not be compiled."""
    return isinstance(value, (int, float)) and value == 0


def times(weight: Array, value: Array) -> Array:
    """weight * value, and 0 where the weight is 0 even if the value is infinite or NaN."""
    # Only there: the slope in a weight of 0 is the value.
    void = (weight == 0) & ~jnp.isfinite(value)
    return jnp.where(void, 0.0, weight * jnp.where(void, 0.0, value))


def sided(x: Array, below: ArrayLike, above: ArrayLike) -> Array:
    """`below` where x < 0, `above` where x > 0, 0 at 0; NaN at NaN, so that the slope x * sided(x) is NaN too."""
    # What is neither is itself: 0 or NaN. No constant, at which someone who hunts for NaN would be stopped.
    return jnp.where(x > 0, above, jnp.where(x < 0, below, jax.lax.stop_gradient(x)))
