"""Contamination: a chosen share of a data set's rows, spoilt in a chosen way.

A kind is any function `kind(key, dataset, size) -> Dataset` that spoils EVERY row; `contaminate` picks the rows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ._dataset import Dataset, Scalar, traced, validate
from ._rows import choose


Kind = Callable[[PRNGKeyArray, Dataset, Scalar], Dataset]


def vertical(key: PRNGKeyArray, dataset: Dataset, size: Scalar) -> Dataset:
    """Vertical outliers: `targets + size`, in the target's own unit; the features stay. Needs real targets."""
    del key
    if not jnp.issubdtype(dataset.targets.dtype, jnp.floating):
        raise ValueError(f"vertical outliers need real targets but they are {dataset.targets.dtype}; use flip instead.")
    return dataset._replace(targets=dataset.targets + jnp.asarray(size, dataset.targets.dtype))


def leverage(key: PRNGKeyArray, dataset: Dataset, size: Scalar) -> Dataset:
    """Bad leverage points: features moved far out, to where the fit predicts more, and targets moved the other way.

    Column j is shifted by `size sd_j r_j / max|r|`, with `sd_j` its standard deviation and `r_j` its correlation with
    the target over all rows, and the target by `-size sd_target`. So the most correlated column moves by `size` of
    its standard deviations. The least-squares fit's prediction never falls along this shift: it rises by
    `size R^2 sd_target / max|r|`. That is why the shifted target contradicts it, whatever the signs and correlations
    of the features. A column that is constant stays. Integer targets are taken as {0, 1} and set to 0: negatives
    deep inside the positive class.
    """
    del key
    features, targets = dataset.features, dataset.targets
    if targets.ndim != 1:
        raise ValueError(f"leverage points need one target a row but targets have shape {targets.shape}.")
    response = targets.astype(features.dtype)
    size = jnp.asarray(size, features.dtype)
    centred, spread = response - jnp.mean(response), jnp.std(response)
    scales = jnp.std(features, axis=0)
    # cov(x_j, t)/sd_j is r_j but for a factor that the division by the largest removes.
    covariance = jnp.mean((features - jnp.mean(features, axis=0, keepdims=True)) * centred[:, None], axis=0)
    correlation = covariance / jnp.where(scales > 0, scales, 1)
    largest = jnp.max(jnp.abs(correlation))
    moved = features + (size * scales * correlation / jnp.where(largest > 0, largest, 1))[None]
    if jnp.issubdtype(targets.dtype, jnp.floating):
        return dataset._replace(features=moved, targets=targets - (size * spread).astype(targets.dtype))
    return dataset._replace(features=moved, targets=jnp.zeros_like(targets))


def flip(key: PRNGKeyArray, dataset: Dataset, size: Scalar) -> Dataset:
    """Wrong binary labels: t becomes `1 - t`, for labels {0, 1} or in [0, 1]. The size is not used."""
    del key, size
    _check_labels(dataset.targets, 1)
    return dataset._replace(targets=1 - dataset.targets)


def relabel(classes: int) -> Kind:
    """Wrong multiclass labels: a factory of the kind that draws one of the other `classes - 1` classes, equally likely.

    The size is not used. `ValueError` for fewer than 2 classes, for targets outside [0, classes) or not integers.
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2 but is {classes}.")

    def kind(key: PRNGKeyArray, dataset: Dataset, size: Scalar) -> Dataset:
        del size
        targets = dataset.targets
        if not jnp.issubdtype(targets.dtype, jnp.integer):
            raise ValueError(f"relabel needs integer targets but they are {targets.dtype}.")
        _check_labels(targets, classes - 1)
        step = jax.random.randint(key, targets.shape, 1, classes, jnp.result_type(int))
        return dataset._replace(targets=((targets.astype(step.dtype) + step) % classes).astype(targets.dtype))

    return kind


def contaminate(
    key: PRNGKeyArray,
    dataset: Dataset,
    *,
    fraction: Scalar,
    size: Scalar = 10.0,
    kind: Kind = vertical,
) -> Dataset:
    """Spoil exactly `round(fraction * n)` rows, chosen at random; the others, and the weights, stay as they are.

    The rows are the first of a random order that depends on `key` alone, and how a row is spoilt does not depend
    on `fraction`. So with one key a larger fraction spoils the same rows, in the same way, and more.

    Args:
        dataset: the clean data; `validate` is called on it.
        fraction: share of the rows, in [0, 1]; may be traced, hence swept by `vmap`.
        size: how far, in the unit that the kind states; may be traced.
        kind: `vertical`, `leverage`, `flip`, `relabel(classes)`, or a function of the user's own.

    Raises:
        TypeError: the kind is not a function.
        ValueError: a fraction outside [0, 1], or targets that the kind cannot spoil.
    """
    if not callable(kind):
        raise TypeError(f"kind={kind!r} is not a function: pass data.vertical, .leverage, .flip or .relabel(classes).")
    dataset = validate(dataset)
    rows_key, kind_key = jax.random.split(key)
    hit = choose(rows_key, dataset.targets.shape[0], fraction, name="fraction")
    spoilt = kind(kind_key, dataset, jnp.asarray(size))

    def pick(bad: Array, good: Array) -> Array:
        return jnp.where(hit.reshape(-1, *[1] * (good.ndim - 1)), bad, good)

    return jax.tree.map(pick, spoilt, dataset)


def _check_labels(targets: Array, largest: int) -> None:
    if traced(targets):
        return
    labels = np.asarray(targets)  # numpy, because jnp would stage the comparison inside someone's jit
    if ((labels < 0) | (labels > largest)).any():
        raise ValueError(
            f"targets run from {labels.min()} to {labels.max()} where labels in [0, {largest}] are expected; "
            "recode them."
        )
