"""A batch that any registered loss accepts: what the benchmarks time, and what the tests feed to costs."""

import numpy as np

from lossopt import losses


def length(loss: losses.Loss, classes: int) -> int | None:
    """How many numbers one prediction of a batch holds; None for one that is no vector."""
    if not losses.claims(loss).prediction_ndim:
        return None
    transition = losses.hyperparameters(loss).get("transition")
    return losses.length(loss) or (len(transition) if transition else classes)


def batch(name: str, rows: int, *, classes: int = 3, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and targets of the loss of that name at its defaults: floats of `dtype`, labels in int32."""
    loss, rng = losses.get(name), np.random.default_rng(0)
    card, k = losses.card(loss), length(loss, classes)
    predictions = rng.normal(size=(rows,) if k is None else (rows, k))
    if card.prediction in ("probability", "probabilities"):
        predictions = 1 / (1 + np.exp(-predictions))
    if card.prediction == "above -1":
        predictions = np.exp(predictions)
    targets = {
        "real": lambda: rng.normal(size=rows),
        "non-zero": lambda: 1 + rng.exponential(size=rows),
        "non-negative": lambda: rng.poisson(2.0, size=rows),
        "positive": lambda: rng.gamma(2.0, size=rows),
        "binary": lambda: rng.integers(0, 2, rows),
        "unit": lambda: rng.uniform(size=rows),
        "successes": lambda: rng.integers(0, 2, rows),
        "label": lambda: rng.integers(0, k, rows),
        "simplex": lambda: rng.dirichlet(np.ones(k or 1), size=rows),
        "direction": lambda: rng.normal(size=(rows, k or 1)),
    }[card.target]()
    return predictions.astype(dtype), targets.astype(np.int32 if card.target == "label" else dtype)
