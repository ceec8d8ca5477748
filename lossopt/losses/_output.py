"""What a loss gives for one example: one floating number. A loss of the user's own may give anything."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp

from ._register import label, Loss


def one_number(loss: Loss) -> Loss:
    """The loss, which is checked as it is traced.

    Raises, when it is called:
        ValueError: it gives something else than one number.
        TypeError: JAX cannot trace it.
    """

    def checked(prediction: Any, target: Any) -> Any:
        try:
            found = loss(prediction, target)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
            raise TypeError(
                f"{label(loss)} asks for the value of an argument, which is not known while JAX traces it: in a loss "
                "use jax.numpy in place of numpy, math and float(), and jnp.where in place of if."
            ) from error
        shape = getattr(found, "shape", () if isinstance(found, numbers.Number) else None)
        if shape == ():
            return found
        given = type(found).__name__ if shape is None else shape
        reduced = "reduce inside it (with .sum(), say) or drop a last axis of 1"
        remedy = "return the number" if shape is None else reduced
        raise ValueError(
            f"A loss maps one prediction and one target to one number, but {label(loss)} gave {given}: {remedy}, "
            "and leave the average over a batch to lossopt.cost."
        )

    return checked


def check_floating(loss: Loss, found: Any) -> None:
    """Raise ValueError unless what a loss gave is floating."""
    dtype = jnp.result_type(found)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"{label(loss)} gave {dtype}, which has no slope: return a floating number.")
