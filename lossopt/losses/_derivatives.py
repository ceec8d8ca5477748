"""Value, slope and curvature of a loss at one example."""

from collections.abc import Callable

import jax
from jaxtyping import Array

from ._register import Loss


def value_slope_curvature(loss: Loss) -> Callable[[Array, Array], tuple[Array, Array, Array]]:
    """The function that gives them, of shapes (), (k,) and (k, k), or () each for a prediction that is one number.

    The slope is that of `jax.grad`. Its derivative is taken forwards, or backwards where that of the loss is told to
    JAX and for that way alone, as by `jax.custom_vjp`.
    """

    def derivatives(prediction: Array, target: Array) -> tuple[Array, Array, Array]:
        def slope(at: Array) -> tuple[Array, tuple[Array, Array]]:
            value, gradient = jax.value_and_grad(loss)(at, target)
            return gradient, (value, gradient)

        try:
            curvature, (value, gradient) = jax.jacfwd(slope, has_aux=True)(prediction)
        except TypeError:
            curvature, (value, gradient) = jax.jacrev(slope, has_aux=True)(prediction)
        return value, gradient, curvature

    return derivatives
