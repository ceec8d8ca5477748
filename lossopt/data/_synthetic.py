"""Problems whose truth is known: linear regression with an exact condition number, and Gaussian classes."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray, Real

from ._dataset import Dataset, known, Scalar, traced
from ._noise import gaussian, NoiseLaw
from ._rows import choose


def linear_problem(
    key: PRNGKeyArray,
    *,
    n: int,
    d: int,
    weights: Real[ArrayLike, " d"] | Sequence[Scalar] | None = None,
    bias: Scalar = 1.0,
    condition: Scalar = 1.0,
    noise: NoiseLaw = gaussian,
    noise_scale: Scalar = 1.0,
    heteroscedastic: Scalar = 0.0,
    dtype: DTypeLike | None = None,
) -> Dataset:
    """Linear regression, `y = X w + b + e`, with a Hessian `H = X'X/n` whose spectrum is exact.

    `X = sqrt(n) Q S R`: Q has orthonormal columns, each summing to zero; S is diagonal; R is a random rotation. So
    `H = R'S^2 R` has the eigenvalues `condition^(-j/(d-1))`, j = 0..d-1: the largest is 1, the smallest `1/condition`,
    and `condition = 1` gives the identity. The columns are centred, hence orthogonal to the intercept, whose own
    eigenvalue is 1: the condition number is the same with it. All to rounding: the smallest eigenvalue has
    a relative error of about `condition` times the precision.

    One key gives one `X` and one draw of the noise, whatever the other arguments.

    Args:
        n, d: rows and features, with `n >= d + 2`.
        weights, bias: the truth; weights are ones by default.
        condition: condition number of H, at least 1 (and 1 when `d = 1`).
        noise, noise_scale: `e = noise_scale * noise(key, (n,), dtype)`, in units of the target.
        heteroscedastic: h multiplies the error of row i by `exp(h z_i)`, with z the first feature divided by its
            root mean square; 0 for equal spread.
        dtype: of all that is returned; the default float if None.

    Raises:
        TypeError: the noise is not a function.
        ValueError: too few rows, a condition number below 1, a negative scale, weights or noise of a wrong shape.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    _check_linear(n, d, condition, noise_scale)
    if not callable(noise):
        raise TypeError(f"noise={noise!r} is not a function: pass data.gaussian, .laplace, .student(df) or .skewed.")
    truth = jnp.ones(d, dtype) if weights is None else jnp.asarray(weights, dtype)
    _check_shape("weights", truth, (d,))
    bias, noise_scale, slope = (jnp.asarray(value, dtype) for value in (bias, noise_scale, heteroscedastic))
    features_key, noise_key = jax.random.split(key)
    features = _conditioned(features_key, n, d, jnp.asarray(condition, dtype))
    errors = jnp.asarray(noise(noise_key, (n,), dtype), dtype)
    _check_shape("the noise drawn", errors, (n,))
    first = features[:, 0] / jnp.sqrt(jnp.mean(features[:, 0] ** 2))
    spread = noise_scale * jnp.exp(slope * first)
    return Dataset(features, jnp.matmul(features, truth, precision="highest") + bias + spread * errors)


def binary_problem(
    key: PRNGKeyArray,
    *,
    n: int,
    d: int,
    separation: Scalar = 2.0,
    positive_fraction: Scalar = 0.5,
    margin: Scalar | None = None,
    dtype: DTypeLike | None = None,
) -> Dataset:
    """Two Gaussian classes of unit covariance, their means at `-separation/2 u` (target 0) and `+separation/2 u` (1).

    `u = (1, ..., 1)/sqrt(d)`. The best classifier is `x.u > 0` for equal classes, wrong with probability
    `Phi(-separation/2)`. `binary_truth` gives the logistic coefficients. Exactly `round(positive_fraction * n)`
    targets are 1, in random places; one key gives the same noise for any separation.

    With a `margin` m the classes are linearly separable: a point whose signed distance `s = (2 t - 1) x.u` from the
    hyperplane `x.u = 0` is below m is mirrored to `2 m - s`, so that each is at least m from it (to rounding), on
    its own side. Then no finite logistic fit exists, and `binary_truth` does not apply.

    Args:
        n, d: rows and features.
        separation: distance of the means, in standard deviations.
        positive_fraction: share of targets that are 1, in [0, 1].
        margin: half the width of the empty slab, positive; None leaves the classes overlapping.
        dtype: of the features; the default float if None. Targets have the default integer dtype.

    Raises:
        ValueError: a size below 1, a fraction outside [0, 1] or a margin that is not positive.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    _check_sizes(n=n, d=d)
    if margin is not None and (half := known("margin", margin)) is not None and not half > 0:
        raise ValueError(f"margin must be positive but is {margin}; pass None for classes that overlap.")
    features_key, rows_key = jax.random.split(key)
    positive = choose(rows_key, n, positive_fraction, name="positive_fraction")
    side = jnp.where(positive, jnp.ones((), dtype), -jnp.ones((), dtype))
    direction = jnp.full(d, 1 / math.sqrt(d), dtype)
    shift = side * jnp.asarray(separation, dtype) / 2
    features = jax.random.normal(features_key, (n, d), dtype) + jnp.outer(shift, direction)
    if margin is not None:
        distance = side * jnp.matmul(features, direction, precision="highest")
        lack = jax.nn.relu(jnp.asarray(margin, dtype) - distance)
        features = features + jnp.outer(2 * side * lack, direction)
    return Dataset(features, positive.astype(jnp.result_type(int)))


def binary_truth(
    *,
    d: int,
    separation: Scalar = 2.0,
    positive_fraction: Scalar = 0.5,
    dtype: DTypeLike | None = None,
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """The `(weights, bias)` of the logistic model that is true of `binary_problem`'s classes, by Bayes' rule.

    `log(P(1|x)/P(0|x)) = separation u.x + log(p/(1 - p))` with p the `positive_fraction`: the quadratic terms of two
    Gaussians of one covariance cancel. In a sample p is the share that it was given, `round(p n)/n`.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    _check_sizes(d=d)
    p = jnp.asarray(positive_fraction, dtype)
    return jnp.full(d, 1 / math.sqrt(d), dtype) * jnp.asarray(separation, dtype), jnp.log(p) - jnp.log1p(-p)


def multiclass_problem(
    key: PRNGKeyArray,
    *,
    n: int,
    d: int,
    classes: int,
    separation: Scalar = 2.0,
    proportions: Real[ArrayLike, " classes"] | Sequence[Scalar] | None = None,
    dtype: DTypeLike | None = None,
) -> Dataset:
    """Gaussian classes of unit covariance, each mean at distance `separation` from every other.

    The means are the corners of a regular simplex about the origin, in the first `classes - 1` features; the other
    features are noise. `multiclass_truth` gives the softmax coefficients. Class k has
    `round(n P_k) - round(n P_{k-1})` rows, in random places, with P the cumulative proportions.

    Args:
        n, d, classes: rows, features and classes, with `2 <= classes <= d + 1`.
        separation: distance of any two means, in standard deviations.
        proportions: relative sizes of the classes, non-negative, of any sum; equal if None.
        dtype: of the features; the default float if None. Targets have the default integer dtype.

    Raises:
        ValueError: too few features, or proportions of a wrong length or sign.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    _check_sizes(n=n, d=d)
    shares = _shares(proportions, classes, dtype)
    means = _simplex(classes, d, dtype) * jnp.asarray(separation, dtype)
    features_key, rows_key = jax.random.split(key)
    order = jax.random.permutation(rows_key, n)
    ends = jnp.round(jnp.cumsum(shares)[:-1] * n).astype(order.dtype)
    targets = jnp.searchsorted(ends, order, side="right").astype(jnp.result_type(int))
    return Dataset(jax.random.normal(features_key, (n, d), dtype) + means[targets], targets)


def multiclass_truth(
    *,
    d: int,
    classes: int,
    separation: Scalar = 2.0,
    proportions: Real[ArrayLike, " classes"] | Sequence[Scalar] | None = None,
    dtype: DTypeLike | None = None,
) -> tuple[Float[Array, "d classes"], Float[Array, " classes"]]:
    """The `(weights, bias)` for which `softmax(x @ weights + bias)` is true of `multiclass_problem`'s classes.

    Column k of the weights is the mean of class k and `bias[k]` the logarithm of its share, by Bayes' rule: the means
    have equal norms, so `|mean|^2/2` cancels. A constant added to every class changes nothing; here columns sum to 0.
    """
    dtype = jnp.result_type(float) if dtype is None else dtype
    means = _simplex(classes, d, dtype) * jnp.asarray(separation, dtype)
    return means.T, jnp.log(_shares(proportions, classes, dtype))


def _conditioned(key: PRNGKeyArray, n: int, d: int, condition: Array) -> Array:
    # No factorisation computes in fewer bits than float32.
    dtype = condition.dtype
    condition = condition.astype(dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32)
    draw_key, turn_key = jax.random.split(key)
    draw = jax.random.normal(draw_key, (n, d), condition.dtype)
    basis, _ = jnp.linalg.qr(draw - jnp.mean(draw, axis=0, keepdims=True))
    singular = condition ** (-0.5 * jnp.linspace(0, 1, d, dtype=condition.dtype))
    rotation = jax.random.orthogonal(turn_key, d, dtype=condition.dtype)
    # "highest" because a GPU's default product keeps ten bits of float32, and the spectrum would be lost.
    return (math.sqrt(n) * jnp.matmul(basis * singular[None], rotation, precision="highest")).astype(dtype)


def _simplex(classes: int, d: int, dtype: DTypeLike) -> Array:
    """Corners (classes, d) of a regular simplex of side 1 about the origin: the columns of Helmert's contrasts."""
    if not 2 <= classes <= d + 1:
        raise ValueError(f"classes must lie in [2, d + 1] = [2, {d + 1}] to be equally far apart, but is {classes}.")
    step = np.arange(1, classes)
    contrasts = np.tril(np.ones((classes - 1, classes)))
    contrasts[step - 1, step] = -step
    contrasts /= np.sqrt(2.0 * step * (step + 1))[:, None]
    return jnp.asarray(np.pad(contrasts.T, ((0, 0), (0, d - classes + 1))), dtype)


def _shares(proportions: ArrayLike | Sequence[Scalar] | None, classes: int, dtype: DTypeLike) -> Array:
    sizes = jnp.ones(classes, dtype) if proportions is None else jnp.asarray(proportions, dtype)
    _check_shape("proportions", sizes, (classes,))
    if not traced(proportions, sizes) and not (np.all(np.asarray(sizes) >= 0) and np.any(np.asarray(sizes) > 0)):
        raise ValueError(f"proportions must be non-negative and not all zero, but are {proportions}.")
    return sizes / jnp.sum(sizes)


def _check_linear(n: int, d: int, condition: ArrayLike, noise_scale: ArrayLike) -> None:
    _check_sizes(n=n, d=d)
    if n < d + 2:
        raise ValueError(f"n = {n} rows are too few for d = {d} features and an intercept; n must be at least {d + 2}.")
    ratio = known("condition", condition)
    if ratio is not None and not 1 <= ratio < math.inf:
        raise ValueError(f"condition must be at least 1 and finite but is {condition}.")
    if d == 1 and ratio not in (None, 1):
        raise ValueError(f"one feature has condition number 1, so condition = {condition} needs d of at least 2.")
    spread = known("noise_scale", noise_scale)
    if spread is not None and not 0 <= spread < math.inf:
        raise ValueError(f"noise_scale must be at least 0 and finite but is {noise_scale}.")


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1 but is {size}.")


def _check_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} but has shape {array.shape}.")
