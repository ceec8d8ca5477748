"""What does the gradient of a loss cost under jit, beside optax's own loss for the same batch?

`python -m benchmarks.gradients [--rows 100000]` prints a table: microseconds for the gradient of the mean over a batch
of float32 rows, and the ratio to optax (below 1 is faster). Medians of interleaved repeats in one process.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lossopt as lo
from benchmarks._timing import seconds
from lossopt import losses


PEERS = {
    "squared_error": optax.losses.squared_error,
    "half_squared_error": optax.losses.l2_loss,
    "huber": optax.losses.huber_loss,
    "log_cosh": optax.losses.log_cosh,
    "hinge": lambda p, t: optax.losses.hinge_loss(p, 2 * t - 1),
    "logistic": optax.losses.sigmoid_binary_cross_entropy,
    "focal": optax.losses.sigmoid_focal_loss,
    "softmax_cross_entropy": optax.losses.softmax_cross_entropy_with_integer_labels,
    "softmax_cross_entropy_soft": optax.losses.softmax_cross_entropy,
}


def batch(name: str, rows: int, classes: int = 10) -> tuple[jax.Array, jax.Array]:
    """Predictions and targets in float32 (labels in int32)."""
    rng, card = np.random.default_rng(0), lo.card(losses.get(name))
    shape = (rows, classes) if card.prediction_ndim else (rows,)
    targets = {
        "real": lambda: rng.normal(size=rows),
        "binary": lambda: rng.integers(0, 2, rows),
        "unit": lambda: rng.integers(0, 2, rows),
        "label": lambda: rng.integers(0, classes, rows),
        "simplex": lambda: rng.dirichlet(np.ones(classes), rows),
    }[card.target]()
    dtype = jnp.int32 if card.target == "label" else jnp.float32
    return jnp.asarray(3 * rng.normal(size=shape), jnp.float32), jnp.asarray(targets, dtype)


def compare(name: str, rows: int, repeats: int) -> dict[str, float]:
    """Median seconds of the gradient by ours and by optax."""
    predictions, targets = batch(name, rows)
    ours = jax.jit(jax.grad(lo.cost(losses.get(name))))
    theirs = jax.jit(jax.grad(lambda p, t: jnp.mean(PEERS[name](p, t))))
    return seconds(
        {"lossopt": lambda: ours(predictions, targets), "optax": lambda: theirs(predictions, targets)}, repeats=repeats
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    print(f"{'loss':28}{'lossopt µs':>12}{'optax µs':>12}{'ratio':>8}")
    for name in PEERS:
        taken = compare(name, options.rows, options.repeats)
        ratio = taken["lossopt"] / taken["optax"]
        print(f"{name:28}{1e6 * taken['lossopt']:12.0f}{1e6 * taken['optax']:12.0f}{ratio:8.2f}")


if __name__ == "__main__":
    main()
