"""Data: what is refused and in which words, problems whose truth is known, contamination, and the real tables."""

import dataclasses
import doctest
import functools
import importlib
import math
import statistics
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lossopt import data


KEY = jax.random.key(0)
FLOATS = [jnp.float32, jnp.float64]
MODULES = [
    "_contamination",
    "_csv",
    "_dataset",
    "_noise",
    "_rows",
    "_shipped",
    "_sklearn",
    "_synthetic",
    "_table",
    "_tables",
]


def spoiled(array, index, value):
    """A float copy of `array` with one entry replaced."""
    array = np.array(array, float)
    array[index] = value
    return array


def host(d):
    """The same data set as numpy arrays, which promote freely."""
    return jax.tree.map(np.asarray, d)


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


# ---- validate: what it converts

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20.0)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_problems_come_in_half_precision_too(dtype):
    of = {"n": 40, "d": 3, "condition": 4.0}
    found, wide = (data.linear_problem(jax.random.key(0), **of, dtype=each) for each in (dtype, jnp.float32))
    assert {found.features.dtype, found.targets.dtype} == {jnp.dtype(dtype)}
    np.testing.assert_allclose(found.features.astype(float), wide.features, atol=2 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, *FLOATS])
def test_validate_keeps_a_floating_dtype(dtype):
    d = data.validate(data.Dataset(jnp.ones((3, 2), dtype), jnp.ones(3, dtype), jnp.ones(3, dtype)))
    assert {leaf.dtype for leaf in d} == {jnp.dtype(dtype)}


@pytest.mark.parametrize("kind", [int, bool, np.int8, np.uint16])
def test_validate_makes_floats_of_integer_features_and_weights(kind):
    d = data.validate(data.Dataset(np.ones((3, 2), kind), np.ones(3), np.ones(3, kind)))
    assert d.features.dtype == d.weights.dtype == jnp.result_type(float)


@pytest.mark.parametrize(("given", "kept"), [(np.int32, np.int32), (np.uint8, np.uint8), (bool, np.int64)])
def test_validate_leaves_integer_targets_integer(given, kept):
    assert data.validate(data.Dataset(X, np.ones(20, given))).targets.dtype == kept


def test_validate_accepts_lists():
    same(
        data.validate(data.Dataset(X.tolist(), Y.tolist(), [1] * 20)), data.Dataset(*map(jnp.array, (X, Y, Y * 0 + 1)))
    )


def test_validate_accepts_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.array(X[:, 1].astype(int), dtype="Int64"), "c": Y > 3})
    d = data.validate(data.Dataset(frame, pd.Series(Y)))
    np.testing.assert_array_equal(d.features, np.column_stack([X, Y > 3]))


def test_validate_copies_the_users_memory():
    features = X.copy()
    d = data.validate(data.Dataset(features, Y))
    features[:] = -1
    np.testing.assert_array_equal(d.features, X)


def test_validate_returns_good_jax_arrays_themselves():
    d = data.Dataset(jnp.array(X), jnp.array(Y))
    assert data.validate(d).features is d.features


def test_validate_accepts_soft_labels():
    assert data.validate(data.Dataset(X, np.full((20, 3), 1 / 3))).targets.shape == (20, 3)


def test_validate_passes_tracers_through():
    bad = data.Dataset(jnp.full((3, 2), jnp.nan), jnp.ones((4, 1)))
    same(jax.jit(data.validate)(bad), bad)


def test_validate_leaves_what_is_known_beside_a_tracer_as_it_is():
    kept = []
    jax.jit(lambda y: kept.append(data.validate(data.Dataset(X, y)).features) or y)(Y)
    assert kept[0] is X


def test_validate_works_on_known_data_inside_jit():
    np.testing.assert_array_equal(jax.jit(lambda s: s * data.validate(data.Dataset(X, Y)).targets)(2.0), 2 * Y)


# ---- validate: what it refuses

ONES = np.ones(20)
BAD_DATASETS = {
    "vector of features": (Y, Y, None, r"shape \(20,\).*features\.reshape\(-1, 1\)"),
    "scalar features": (3.0, Y, None, r"shape \(\) where \(rows, columns\)"),
    "image features": (np.ones((20, 4, 4)), Y, None, r"\(20, 4, 4\).*flatten each example"),
    "no rows": (np.ones((0, 2)), np.ones(0), None, "no rows; give at least one"),
    "empty list": ([], [], None, "no rows; give at least one"),
    "no columns": (np.ones((20, 0)), Y, None, "no columns; give at least one"),
    "lengths differ": (X, Y[:19], None, r"20 rows but targets have 19 .*one of each"),
    "weights too short": (X, Y, ONES[:5], "20 rows but weights have 5"),
    "column targets": (X, Y[:, None], None, r"\(20, 1\).*pass targets\[:, 0\]"),
    "cube targets": (X, np.ones((20, 2, 2)), None, r"targets have shape \(20, 2, 2\)"),
    "column weights": (X, Y, ONES[:, None], r"weights have shape \(20, 1\) where \(20,\)"),
    "NaN feature": (spoiled(X, ([17, 19], [1, 0]), np.nan), Y, None, "hold NaN in 2 rows, .*row 17 .*column 1"),
    "inf feature": (spoiled(X, (4, 0), -np.inf), Y, None, "features hold an infinite value in 1 row, the first row 4 "),
    "NaN target": (X, spoiled(Y, 17, np.nan), None, r"targets hold NaN in 1 row, .* row 17 \(counting from 0\);"),
    "inf target": (X, spoiled(Y, 0, np.inf), None, "targets hold an infinite value in 1 row, the first row 0"),
    "NaN weight": (X, Y, spoiled(ONES, 3, np.nan), "weights hold NaN in 1 row, the first row 3"),
    "negative weights": (X, Y, spoiled(ONES, [5, 6], -1), "weights are negative in 2 rows, the first row 5 "),
    "zero weights": (X, Y, 0 * ONES, "weights are zero in all 20 rows"),
    "text features": ([[1.0, "a"], [2.0, "b"]], [1, 2], None, r"hold 'a' \(str\).*2 rows, the first row 0 .*column 1"),
    "numbers as text": (X.astype(str), Y, None, r"features hold '0.0' \(str\)"),
    "text targets": (X, ["yes", "no"] * 10, None, "targets hold 'yes'.*in 20 rows.*encode classes as integers"),
    "dates": (np.zeros((20, 2), "M8[s]"), Y, None, "features hold datetime"),
    "time spans": (np.zeros((20, 2), "m8[s]"), Y, None, "features hold datetime.timedelta"),
    "a missing cell": ([[1.0, None], [2.0, 3.0]], [1, 2], None, "hold NaN in 1 row, the first row 0 .*column 1"),
    "complex": (X + 1j, Y, None, r"features are complex numbers \(complex128\) in all 20 rows"),
    "ragged": ([[1.0, 2.0], [3.0]], [1, 2], None, "rows of different lengths"),
    "an object": ({"a": Y}, Y, None, "features are a dict, not an array of numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DATASETS)
def test_validate_refuses_in_one_sentence(case):
    features, targets, weights, message = BAD_DATASETS[case]
    with pytest.raises(ValueError, match=message) as error:
        data.validate(data.Dataset(features, targets, weights))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")


def test_validate_refuses_text_in_a_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"age": [1.0, 2.0], "sex": ["m", "f"]})
    with pytest.raises(ValueError, match=r"features hold 'm' .*row 0 .*column 1"):
        data.validate(data.Dataset(frame, [1, 2]))


def test_validate_refuses_a_missing_pandas_value():
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="targets hold NaN in 1 row, the first row 1"):
        data.validate(data.Dataset([[1], [2]], pd.array([1, None], dtype="Int64")))


def test_a_large_table_that_was_looked_at_once_vouches_for_no_other(monkeypatch):
    monkeypatch.setattr("lossopt.data._finite._LARGE", 1)
    sound, targets = jnp.ones((20, 3)), jnp.ones(20)
    for _ in range(3):
        assert data.validate(data.Dataset(sound, targets)).features is sound
        # As often as not the next array takes the place of one that is gone.
        for value in (1.0, jnp.nan, jnp.inf):
            other = data.Dataset(sound.at[7, 1].set(value), targets)
            if value == 1.0:
                data.validate(other)
                continue
            with pytest.raises(ValueError, match="the first row 7"):
                data.validate(other)


@pytest.mark.parametrize("staged", [False, True])
def test_validate_looks_at_what_is_on_an_accelerator_there(staged, monkeypatch):
    """As if the processor were one: arrays are brought to the host only for the sentence."""
    monkeypatch.setattr("lossopt.data._finite._HERE", ())
    monkeypatch.setattr("lossopt.data._finite._LARGE", 1)
    there = data.Dataset(jnp.asarray(X), jnp.asarray(Y), jnp.asarray(ONES))
    held = []
    look = lambda: held.append(data.validate(there))  # noqa: E731
    jax.jit(lambda one: (look(), one)[1])(1.0) if staged else look()
    assert held[0].features is there.features
    assert held[0].targets is there.targets
    with pytest.raises(ValueError, match=r"hold NaN in 2 rows, .*row 17 .*column 1"):
        data.validate(there._replace(features=jnp.asarray(spoiled(X, ([17, 19], [1, 0]), np.nan))))
    with pytest.raises(ValueError, match="weights are negative in 1 row, the first row 3"):
        data.validate(there._replace(weights=jnp.asarray(spoiled(ONES, 3, -1.0))))


@pytest.mark.parametrize("other", [(X, Y), None, X, {"features": X}])
def test_validate_refuses_what_is_no_dataset(other):
    with pytest.raises(TypeError, match=f"got a {type(other).__name__}.*data.Dataset\\(features, targets\\)"):
        data.validate(other)


def test_validate_refuses_what_float32_cannot_hold():
    with jax.enable_x64(False), pytest.raises(ValueError, match="beyond float32 in 1 row, the first row 2"):
        data.validate(data.Dataset(spoiled(X, (2, 1), 1e300), Y))


def test_validate_refuses_integers_that_int32_cannot_hold():
    with jax.enable_x64(False), pytest.raises(ValueError, match="integers beyond int32 in 1 row, the first row 0"):
        data.validate(data.Dataset([[1], [2]], [2**40, 1]))


# ---- noise

LAWS = {
    "gaussian": (data.gaussian, statistics.NormalDist().inv_cdf),
    "laplace": (data.laplace, lambda p: np.log(2 * p) if p < 0.5 else -np.log(2 - 2 * p)),
    "skewed": (data.skewed, lambda p: -1 - np.log(1 - p)),
}
STUDENTS = {
    "cauchy": (0, lambda p: np.tan(np.pi * (p - 0.5))),
    "two": (1, lambda p: (2 * p - 1) / (2 * p * (1 - p)) ** 0.5),
}
SAMPLE = (50_000,)


@functools.cache
def students():
    """One large draw for each number of degrees of freedom, which is traced."""
    draw = jax.jit(lambda df: data.student(df)(KEY, SAMPLE, jnp.float32))
    return draw(1.0), draw(2.0)


@functools.cache
def sample(name):
    """One large draw of a law."""
    return np.asarray(LAWS[name][0](KEY, SAMPLE, jnp.float64) if name in LAWS else students()[STUDENTS[name][0]])


@pytest.mark.parametrize("name", [*LAWS, *STUDENTS])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_noise_has_the_stated_quantiles(name, p):
    below = np.mean(sample(name) < (LAWS | STUDENTS)[name][1](p))
    assert abs(below - p) < 4 * math.sqrt(p * (1 - p) / SAMPLE[0])


@pytest.mark.parametrize(("name", "variance", "fourth"), [("gaussian", 1, 3), ("laplace", 2, 24), ("skewed", 1, 9)])
def test_noise_has_the_stated_mean_and_variance(name, variance, fourth):
    draw, n = sample(name), SAMPLE[0]
    assert abs(draw.mean()) < 4 * math.sqrt(variance / n)
    assert abs(np.mean(draw**2) - variance) < 4 * math.sqrt((fourth - variance**2) / n)


@pytest.mark.parametrize("law", [data.gaussian, data.laplace, data.skewed])
def test_noise_has_the_dtype_asked_for(law):
    draw = law(KEY, (3, 2), jnp.float32)
    assert (draw.dtype, draw.shape) == (jnp.float32, (3, 2))


def test_student_refuses_zero_degrees_of_freedom():
    with pytest.raises(ValueError, match="df must be positive but is 0"):
        data.student(0)


# ---- linear problems


def linear(key=KEY, n=40, d=3, **options):
    """One shape for most tests, because each one compiles anew."""
    return host(data.linear_problem(key, n=n, d=d, **options))


def hessian(d):
    x = d.features.astype(float)
    return x.T @ x / len(x)


def least_squares(d):
    """(bias, *weights) of the exact fit, by numpy."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(d.targets)), d.features]), d.targets, rcond=None)[0]


@pytest.mark.parametrize("condition", [1.0, 10, 1e4])
def test_condition_number_is_exact(condition):
    eigenvalues = np.linalg.eigvalsh(hessian(linear(condition=condition)))
    np.testing.assert_allclose(eigenvalues, np.geomspace(1 / condition, 1, 3), rtol=1e-14 * condition + 1e-13)


def test_condition_one_whitens():
    np.testing.assert_allclose(hessian(linear()), np.eye(3), atol=1e-14)


def test_condition_number_in_float32_with_as_few_rows_as_there_may_be():
    make = jax.jit(lambda key: data.linear_problem(key, n=5, d=3, condition=100.0, dtype=jnp.float32))
    d = host(make(KEY))
    assert d.features.dtype == d.targets.dtype == np.float32
    np.testing.assert_allclose(np.linalg.cond(hessian(d)), 100, rtol=1e-4)


def test_ill_conditioned_features_are_correlated_not_merely_scaled():
    h = hessian(linear(condition=1e3))
    scale = np.sqrt(np.diag(h))
    assert np.linalg.cond(h / np.outer(scale, scale)) > 10


def test_features_are_orthogonal_to_the_intercept():
    np.testing.assert_allclose(linear(condition=100.0).features.mean(axis=0), 0, atol=1e-15)


@pytest.mark.parametrize("weights", [None, [3.0, -1.0, 0.0], np.array([1, 2, 3])])
@pytest.mark.parametrize("condition", [1.0, 1e4])
def test_truth_is_recovered_without_noise(weights, condition):
    d = linear(weights=weights, bias=-2, condition=condition, noise_scale=0)
    expected = np.concatenate([[-2], np.ones(3) if weights is None else weights])
    np.testing.assert_allclose(least_squares(d), expected, atol=1e-11)


def test_noise_scale_multiplies_one_draw():
    clean, one, three = (linear(noise_scale=s).targets for s in (0, 1, 3.0))
    np.testing.assert_allclose(three - clean, 3 * (one - clean), rtol=1e-12)


def test_noise_law_is_used():
    clean, noisy = (linear(noise_scale=s, noise=data.skewed) for s in (0, 1))
    assert -1 < np.min(noisy.targets - clean.targets) < -0.7
    same(clean.features, noisy.features)


def test_heteroscedastic_spread_follows_the_first_feature():
    one, wide = (linear(condition=9.0, bias=0, weights=[0, 0, 0], heteroscedastic=h) for h in (0, 0.7))
    first = one.features[:, 0]
    np.testing.assert_allclose(wide.targets, one.targets * np.exp(0.7 * first / np.sqrt(np.mean(first**2))), rtol=1e-12)


def test_linear_problem_vmaps_over_keys_condition_and_scale():
    keys, conditions = jax.random.split(KEY, 3), jnp.array([1.0, 5.0, 50.0])
    make = jax.vmap(lambda k, c: data.linear_problem(k, n=40, d=3, condition=c, noise_scale=c, bias=c))
    many = jax.jit(make)(keys, conditions)
    np.testing.assert_allclose([np.linalg.cond(x) ** 2 for x in many.features], conditions, rtol=1e-10)
    one = linear(keys[1], condition=5.0, noise_scale=5.0, bias=5.0)
    np.testing.assert_allclose(many.features[1], one.features, atol=1e-12)
    np.testing.assert_allclose(many.targets[1], one.targets, atol=1e-12)


BAD_PROBLEMS = {
    "too few rows": (data.linear_problem, {"n": 4, "d": 3}, "n = 4 rows are too few for d = 3 .* at least 5"),
    "no features": (data.linear_problem, {"n": 4, "d": 0}, "d must be at least 1"),
    "condition": (data.linear_problem, {"n": 9, "d": 3, "condition": 0.5}, "condition must be at least 1 .* 0.5"),
    "one feature": (data.linear_problem, {"n": 9, "d": 1, "condition": 2}, "one feature has condition number 1"),
    "weights": (data.linear_problem, {"n": 9, "d": 3, "weights": [1, 2]}, r"weights must have shape \(3,\) .* \(2,\)"),
    "noise": (
        data.linear_problem,
        {"n": 40, "d": 3, "noise": lambda key, shape, dtype: jnp.zeros((40, 1))},
        r"noise drawn must have shape \(40,\) but has shape \(40, 1\)",
    ),
    "fraction": (data.binary_problem, {"n": 9, "d": 3, "positive_fraction": 1.5}, r"positive_fraction must lie in \["),
    "margin": (data.binary_problem, {"n": 9, "d": 3, "margin": 0}, "margin must be positive but is 0"),
    "one class": (
        data.multiclass_problem,
        {"n": 9, "d": 3, "classes": 1},
        r"classes must lie in \[2, d \+ 1\] = \[2, 4\]",
    ),
    "five classes": (data.multiclass_problem, {"n": 9, "d": 3, "classes": 5}, "is 5"),
    "shares": (
        data.multiclass_problem,
        {"n": 9, "d": 3, "classes": 2, "proportions": [1, -1]},
        "proportions must be non-negative",
    ),
    "share count": (data.multiclass_problem, {"n": 9, "d": 3, "classes": 3, "proportions": [1, 1]}, r"shape \(3,\)"),
}


@pytest.mark.parametrize("case", BAD_PROBLEMS)
def test_a_problem_that_cannot_be_made_is_refused(case):
    make, options, message = BAD_PROBLEMS[case]
    with pytest.raises(ValueError, match=message):
        make(KEY, **options)


# ---- classification problems


def binary(n=40, **options):
    return host(data.binary_problem(KEY, n=n, d=3, **options))


def distances(d):
    """How far each point of a binary problem is from the hyperplane, on its own side."""
    return (2 * d.targets - 1) * d.features.sum(axis=1) / math.sqrt(3)


@pytest.mark.parametrize("fraction", [0, 0.01, 0.25, 1 / 3, 1])
def test_number_of_positives_is_exact(fraction):
    targets = binary(positive_fraction=fraction).targets
    assert np.issubdtype(targets.dtype, np.integer)
    assert targets.sum() == round(fraction * 40)


def test_binary_classes_are_one_gaussian_shifted():
    shifts = binary(separation=3.0).features - binary(separation=0).features
    np.testing.assert_allclose(shifts, np.outer(2 * binary().targets - 1, np.full(3, 1.5 / math.sqrt(3))), atol=1e-14)


def test_binary_truth_is_where_the_likelihood_is_stationary():
    """The score of the logistic likelihood at the truth is zero but for sampling: within four standard errors."""
    options = {"separation": 1.5, "positive_fraction": 0.2}
    d = binary(n=20_000, dtype=jnp.float32, **options)
    assert d.features.dtype == np.float32
    weights, bias = map(np.asarray, data.binary_truth(d=3, **options))
    residuals = d.targets - 1 / (1 + np.exp(-d.features @ weights - bias))
    scores = residuals[:, None] * np.column_stack([np.ones(20_000), d.features])
    assert np.all(np.abs(scores.mean(axis=0)) < 4 * scores.std(axis=0) / math.sqrt(20_000))


def test_binary_truth_is_bayes_rule():
    weights, bias = data.binary_truth(d=4, separation=3.0, positive_fraction=0.2)
    u, x = np.full(4, 0.5), np.array([0.3, -1.0, 2.0, 0.1])
    ratio = 0.2 * np.exp(-np.sum((x - 1.5 * u) ** 2) / 2) / (0.8 * np.exp(-np.sum((x + 1.5 * u) ** 2) / 2))
    np.testing.assert_allclose(x @ np.asarray(weights) + bias, np.log(ratio), rtol=1e-12)


@pytest.mark.parametrize("separation", [0.0, 2.0])
@pytest.mark.parametrize("margin", [0.01, 1, 5.0])
def test_a_margin_separates_the_classes(separation, margin):
    assert distances(binary(separation=separation, margin=margin)).min() > margin - 1e-12


def test_a_margin_mirrors_the_points_inside_it_and_moves_no_other():
    plain, apart = (binary(margin=m) for m in (None, 0.5))
    outside = distances(plain) > 0.5
    assert 0 < outside.sum() < 40
    np.testing.assert_array_equal(apart.features[outside], plain.features[outside])
    np.testing.assert_allclose(distances(apart)[~outside], 1 - distances(plain)[~outside], atol=1e-14)


def test_binary_problem_sweeps_everything_that_is_no_size():
    def make(s):
        return data.binary_problem(KEY, n=40, d=3, separation=s, positive_fraction=s / 10, margin=s)

    many, one = jax.jit(jax.vmap(make))(jnp.array([1.0, 2.0])), make(2.0)
    np.testing.assert_allclose(many.features[1], one.features, atol=1e-14)
    np.testing.assert_array_equal(many.targets[1], one.targets)


CLASS_SIZES = [(None, [13, 14, 13]), ([1, 1, 2], [10, 10, 20]), ([0, 0.1, 0.9], [0, 4, 36]), ([1, 0, 0], [40, 0, 0])]


@pytest.mark.parametrize(("proportions", "sizes"), CLASS_SIZES)
def test_class_sizes_are_exact(proportions, sizes):
    targets = data.multiclass_problem(KEY, n=40, d=3, classes=3, proportions=proportions).targets
    np.testing.assert_array_equal(np.bincount(targets, minlength=3), sizes)


@pytest.mark.parametrize(("d", "classes"), [(1, 2), (3, 4), (5, 3)])
def test_class_means_are_equally_far_apart(d, classes):
    means = np.asarray(data.multiclass_truth(d=d, classes=classes, separation=3.0)[0]).T
    gaps = np.linalg.norm(means[:, None] - means[None], axis=-1)
    np.testing.assert_allclose(gaps, 3 * (1 - np.eye(classes)), atol=1e-12)
    np.testing.assert_allclose(means.sum(axis=0), 0, atol=1e-12)


def test_multiclass_classes_are_one_gaussian_shifted():
    options = {"d": 3, "classes": 3, "proportions": [1, 2, 1]}
    far, near = (host(data.multiclass_problem(KEY, n=40, separation=s, **options)) for s in (4.0, 0))
    weights, _ = data.multiclass_truth(separation=4.0, **options)
    np.testing.assert_allclose(far.features - near.features, np.asarray(weights).T[far.targets], atol=1e-14)


def test_multiclass_truth_is_bayes_rule():
    weights, bias = map(np.asarray, data.multiclass_truth(d=3, classes=3, separation=2.0, proportions=[1, 2, 5]))
    x, p = np.array([0.3, -1.0, 2.0]), np.array([1, 2, 5]) / 8
    densities = p * np.exp(-np.sum((x - weights.T) ** 2, axis=1) / 2)
    np.testing.assert_allclose(jax.nn.softmax(x @ weights + bias), densities / densities.sum(), rtol=1e-12)


def test_multiclass_problem_sweeps_proportions_inside_jit():
    make = jax.jit(jax.vmap(lambda p: data.multiclass_problem(KEY, n=40, d=3, classes=2, proportions=p).targets.sum()))
    np.testing.assert_array_equal(make(jnp.array([[1.0, 4.0], [1.0, 1.0]])), [32, 20])


# ---- contamination

CLEAN = data.linear_problem(jax.random.key(1), n=40, d=3, condition=20.0, weights=[1.0, -2.0, 0.5], noise_scale=0.1)
BINARY = data.binary_problem(jax.random.key(2), n=40, d=3)
MANY = data.multiclass_problem(jax.random.key(3), n=40, d=3, classes=4)
CLEAN, BINARY, MANY = map(host, (CLEAN, BINARY, MANY))
KINDS = {
    "vertical": (data.vertical, CLEAN),
    "leverage": (data.leverage, CLEAN),
    "binary leverage": (data.leverage, BINARY),
    "flip": (data.flip, BINARY),
    "relabel": (data.relabel(4), MANY),
}


def contaminate(clean, key=KEY, **options):
    return host(data.contaminate(key, clean, **options))


def changed(before, after):
    """Which rows differ."""
    return np.any(before.features != after.features, axis=1) | np.asarray(before.targets != after.targets)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("fraction", [0, 0.1, 0.26, 1])
def test_the_number_of_spoilt_rows_is_exact(name, fraction):
    kind, clean = KINDS[name]
    hit = changed(clean, contaminate(clean, fraction=fraction, kind=kind))
    assert hit.sum() == round(fraction * 40)


@pytest.mark.parametrize("name", KINDS)
def test_a_larger_fraction_spoils_the_same_rows_and_more(name):
    kind, clean = KINDS[name]
    few, more = (contaminate(clean, fraction=f, kind=kind) for f in (0.2, 0.5))
    hit = changed(clean, few)
    np.testing.assert_array_equal(few.features[hit], more.features[hit])
    np.testing.assert_array_equal(few.targets[hit], more.targets[hit])


@pytest.mark.parametrize("name", KINDS)
def test_contamination_keeps_dtypes_and_weights(name):
    kind, clean = KINDS[name]
    clean = clean._replace(features=clean.features.astype(np.float32), weights=np.arange(40.0))
    dirty = host(jax.jit(lambda d: data.contaminate(KEY, d, fraction=0.3, size=3, kind=kind))(clean))
    assert [leaf.dtype for leaf in dirty] == [leaf.dtype for leaf in clean]
    np.testing.assert_array_equal(dirty.weights, clean.weights)


@pytest.mark.parametrize("name", ["vertical", "leverage", "relabel"])
def test_contamination_vmaps_over_keys_fractions_and_sizes(name):
    kind, clean = KINDS[name]
    keys, fractions, sizes = jax.random.split(KEY, 3), jnp.array([0.0, 0.2, 0.9]), jnp.array([1.0, 5.0, 50.0])
    many = jax.jit(jax.vmap(lambda k, f, s: data.contaminate(k, clean, fraction=f, size=s, kind=kind)))(
        keys, fractions, sizes
    )
    for i in range(3):
        one = contaminate(clean, keys[i], fraction=fractions[i], size=sizes[i], kind=kind)
        np.testing.assert_allclose(many.features[i], one.features, rtol=1e-12)
        np.testing.assert_allclose(many.targets[i], one.targets, rtol=1e-12)


def test_the_same_rows_are_hit_in_both_precisions():
    single = data.Dataset(CLEAN.features.astype(np.float32), CLEAN.targets.astype(np.float32))
    hits = [changed(d, contaminate(d, fraction=0.3)) for d in (CLEAN, single)]
    np.testing.assert_array_equal(*hits)


def test_different_keys_hit_different_rows():
    one, other = (changed(CLEAN, contaminate(CLEAN, jax.random.key(i), fraction=0.5)) for i in (0, 1))
    assert np.any(one != other)


def test_vertical_outliers_shift_the_target_by_the_size():
    dirty = contaminate(CLEAN, fraction=1, size=7.0)
    np.testing.assert_allclose(dirty.targets - CLEAN.targets, 7, rtol=1e-12)
    same(dirty.features, CLEAN.features)


def test_leverage_moves_the_most_correlated_column_by_size_deviations():
    dirty = contaminate(CLEAN, fraction=1, size=6.0, kind=data.leverage)
    x, y = np.asarray(CLEAN.features), np.asarray(CLEAN.targets)
    r = np.corrcoef(x.T, y)[-1, :-1]
    np.testing.assert_allclose(
        dirty.features - x, np.broadcast_to(6 * x.std(0) * r / abs(r).max(), x.shape), atol=1e-12
    )
    np.testing.assert_allclose(dirty.targets - y, -6 * y.std(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_leverage_contradicts_the_fit(seed):
    """Whatever the correlations: the least-squares fit predicts more at the moved point, and the target is less."""
    truth = np.random.default_rng(seed).normal(size=3)
    clean = linear(jax.random.key(seed), condition=1e3, weights=truth)
    dirty = contaminate(clean, fraction=1, size=5.0, kind=data.leverage)
    _, *slopes = least_squares(clean)
    assert np.all((dirty.features - clean.features) @ np.array(slopes) > 0)
    assert np.all(dirty.targets < clean.targets)


def test_leverage_reverses_a_slope():
    features = np.random.default_rng(0).normal(size=(40, 3))
    line = data.Dataset(features, features[:, 0])
    assert least_squares(contaminate(line, fraction=0.1, size=20.0, kind=data.leverage))[1] < -0.3


def test_binary_leverage_puts_negatives_deep_among_the_positives():
    dirty = contaminate(BINARY, fraction=0.2, size=10.0, kind=data.leverage)
    hit = np.any(dirty.features != BINARY.features, axis=1)
    assert np.all(dirty.targets[hit] == 0)
    assert np.all(dirty.features[hit] @ np.ones(3) > np.max(BINARY.features @ np.ones(3)))


def test_leverage_stays_finite_on_constant_columns_and_targets():
    flat = data.Dataset(np.ones((40, 3)), np.ones(40))
    dirty = contaminate(flat, fraction=0.5, kind=data.leverage)
    assert np.all(np.isfinite(dirty.features))
    assert np.all(np.isfinite(dirty.targets))


def test_flip_honours_soft_labels():
    soft = BINARY._replace(targets=np.full(40, 0.3))
    np.testing.assert_allclose(contaminate(soft, fraction=1, kind=data.flip).targets, 0.7)


def test_relabel_draws_every_other_class_equally_often_and_never_the_same():
    draws = [contaminate(MANY, jax.random.key(i), fraction=1, kind=data.relabel(4)).targets for i in range(60)]
    steps = np.bincount(np.concatenate((draws - MANY.targets) % 4), minlength=4)
    assert steps[0] == 0
    assert np.all(np.abs(steps[1:] - 800) < 4 * math.sqrt(2400 * 2 / 9))


def test_a_kind_of_the_users_own():
    def negate(key, dataset, size):
        return dataset._replace(targets=-size * dataset.targets)

    dirty = contaminate(CLEAN, fraction=1, size=2, kind=negate)
    np.testing.assert_allclose(dirty.targets, -2 * CLEAN.targets)


SIGNED = BINARY._replace(targets=2 * BINARY.targets - 1)
VECTORS = CLEAN._replace(targets=CLEAN.features)
HOLED = CLEAN._replace(targets=CLEAN.targets * np.nan)
BAD_CONTAMINATIONS = {
    "fraction": (CLEAN, 1.2, data.vertical, r"fraction must lie in \[0, 1\] but is 1.2"),
    "NaN fraction": (CLEAN, math.nan, data.vertical, r"fraction must lie in \[0, 1\]"),
    "vertical of classes": (BINARY, 0.1, data.vertical, "vertical outliers need real targets .*use flip"),
    "flip of signs": (SIGNED, 0.1, data.flip, "targets run from -1 to 1"),
    "relabel of too many": (MANY, 0.1, data.relabel(3), r"run from 0 to 3 where labels in \[0, 2\]"),
    "relabel of reals": (CLEAN, 0.1, data.relabel(3), "relabel needs integer targets"),
    "leverage of vectors": (VECTORS, 0.1, data.leverage, "one target a row"),
    "NaN": (HOLED, 0.1, data.vertical, "targets hold NaN in 40 rows"),
}


@pytest.mark.parametrize("case", BAD_CONTAMINATIONS)
def test_contamination_refuses(case):
    clean, fraction, kind, message = BAD_CONTAMINATIONS[case]
    with pytest.raises(ValueError, match=message):
        data.contaminate(KEY, clean, fraction=fraction, kind=kind)


def test_relabel_refuses_one_class():
    with pytest.raises(ValueError, match="classes must be at least 2"):
        data.relabel(1)


def test_known_arguments_are_checked_inside_jit():
    two = jnp.float32(2)
    with pytest.raises(ValueError, match="fraction must lie"):
        jax.jit(lambda key: data.contaminate(key, CLEAN, fraction=two))(KEY)


# ---- real tables

SHIPPED = ["stackloss", "engel", "phones", "starsCYG", "hbk", "Animals2", "biopsy", "birthwt"]

# lm() of R 4.2.2: intercept, then one slope a feature; and the residual sum of squares.
R_LEAST_SQUARES = {
    "stackloss": ([-39.919674420124, 0.715640200485283, 1.29528612438857, -0.152122519148653], 178.829961598359),
    "engel": ([147.475388523705, 0.485178423676923], 3033804.57711036),
    "phones": ([-260.059246376812, 5.04147826086957], 69543.5398202898),
    "starsCYG": ([6.79346729870468, -0.413303860587056], 14.3463946262186),
    "hbk": ([-0.387549545925415, 0.239184791709944, -0.33454847682575, 0.38334081524915], 359.485725738748),
    "Animals2": ([2.17168545710409, 0.591519841210066], 86.5944458707125),
}

# glm(family = binomial) of R 4.2.2: intercept, then one coefficient a feature; and the deviance.
R_LOGISTIC = {
    "biopsy": (
        [-10.1039422450104, 0.535014068194889, -0.0062797168758221, 0.322706495780051, 0.330636915354525,
         0.0966354171207052, 0.383024572414654, 0.447187920035999, 0.213030681615436, 0.534835631433909],
        102.888191162019,
    ),
    "birthwt": (
        [0.823018988632762, -0.0372342938877187, -0.0156530085818488, 1.19241323385147, 0.740684901551612,
         0.755528388053262, 1.3437633938064, 1.91316587700431, 0.680195478598597, -0.436379679610357,
         0.179008526996413],
        195.475518277802,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", R_LEAST_SQUARES)
def test_least_squares_agrees_with_r(name):
    coefficients, residual = R_LEAST_SQUARES[name]
    d = host(data.load(name))
    fit = least_squares(d)
    np.testing.assert_allclose(fit, coefficients, rtol=1e-10)
    np.testing.assert_allclose(np.sum((d.targets - fit[0] - d.features @ fit[1:]) ** 2), residual, rtol=1e-12)


@pytest.mark.parametrize("name", R_LOGISTIC)
def test_rs_logistic_fit_is_stationary_and_has_its_deviance(name):
    (bias, *weights), deviance = R_LOGISTIC[name]
    d = host(data.load(name))
    logits = d.features @ weights + bias
    slopes = (1 / (1 + np.exp(-logits)) - d.targets)[:, None] * np.column_stack([np.ones(len(logits)), d.features])
    np.testing.assert_allclose(slopes.sum(axis=0) / np.abs(slopes).sum(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(2 * np.sum(np.logaddexp(0.0, logits) - d.targets * logits), deviance, rtol=1e-13)


@pytest.mark.parametrize(("name", "counts"), [("biopsy", [444, 239]), ("birthwt", [130, 59])])
def test_class_counts(name, counts):
    np.testing.assert_array_equal(np.bincount(data.load(name).targets), counts)


@pytest.mark.parametrize("name", data.names())
def test_description_fits_the_table(name):
    table, d = data.describe(name), data.load(name)
    assert table.name == name
    assert (table.rows, len(table.features)) == d.features.shape
    assert d.features.dtype == jnp.result_type(float)
    assert jnp.issubdtype(d.targets.dtype, jnp.floating if table.task == "regression" else jnp.integer)
    assert len(table.classes) == (0 if table.task == "regression" else int(d.targets.max()) + 1)
    assert any(str(year) in table.source for year in range(1936, 2010))
    assert table.note


@pytest.mark.parametrize("name", data.names())
def test_tables_are_valid(name):
    d = data.load(name)
    same(data.validate(d), d)


def test_the_shipped_tables_come_first():
    assert list(data.names()[:8]) == SHIPPED


def test_names_by_task():
    assert set(data.names(task="binary")) & set(SHIPPED) == {"biopsy", "birthwt"}


def test_a_table_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.describe("hbk").rows = 3


@pytest.mark.parametrize(("wrong", "right"), [("stacklos", "stackloss"), ("animals2", "Animals2"), ("irises", "iris")])
@pytest.mark.parametrize("function", [data.load, data.describe])
def test_an_unknown_table_names_the_nearest(function, wrong, right):
    with pytest.raises(ValueError, match=f"no table '{wrong}'; did you mean '{right}'"):
        function(wrong)


def test_without_scikit_learn_its_tables_say_how_to_get_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "lossopt\[data\]"'):
        data.load("iris")


def test_without_scikit_learn_only_shipped_tables_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(data.names()) == SHIPPED


# ---- a user's own table


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "people.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


PEOPLE = "age,sex,town,sick\n20,f,Bonn,no\n30,m,Aix,yes\n\n40,f,Aix,no\n50,m,Cham,no\n"


def test_read_csv_encodes_text(written):
    d, table = data.read_csv(written(PEOPLE), target="sick")
    assert table.features == ("age", "sex=m", "town=Bonn", "town=Cham")
    assert (table.task, table.classes, table.rows, table.name) == ("binary", ("no", "yes"), 4, "people")
    np.testing.assert_array_equal(d.features, [[20, 0, 1, 0], [30, 1, 0, 0], [40, 0, 0, 0], [50, 1, 0, 1]])
    np.testing.assert_array_equal(d.targets, [0, 1, 0, 0])


def test_read_csv_takes_the_features_named_in_their_order(written):
    d, table = data.read_csv(written(PEOPLE), target="age", features=["sick", "sex"])
    assert (table.task, table.features) == ("regression", ("sick=yes", "sex=m"))
    assert d.targets.dtype == jnp.result_type(float)


def test_read_csv_takes_a_single_feature_by_name(written):
    assert data.read_csv(written(PEOPLE), target="sick", features="age")[1].features == ("age",)


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [("0110", "binary", ("0", "1")), ("0120", "regression", ()), ("abca", "multiclass", ("a", "b", "c"))],
)
def test_read_csv_tells_the_task_from_the_target(written, cells, task, classes):
    d, table = data.read_csv(written("x,y\n" + "".join(f"{i},{c}\n" for i, c in enumerate(cells))), target="y")
    assert (table.task, table.classes) == (task, classes)
    assert jnp.issubdtype(d.targets.dtype, jnp.floating if task == "regression" else jnp.integer)


def test_read_csv_reads_quotes_spaces_and_a_byte_order_mark(written):
    d, table = data.read_csv(written('\ufeff"x", y\n"1.5", 2\n-3e2,4\n'), target="y")
    assert table.features == ("x",)
    np.testing.assert_array_equal(d.features, [[1.5], [-300]])


BAD_FILES = {
    "empty": ("", {}, "has no rows below a header"),
    "header alone": ("x,y\n", {}, "has no rows below a header"),
    "headless": ("1,1\n2,3\n", {}, "distinct column names but its first line"),
    "twin columns": ("x,x,y\n1,2,3\n", {}, "distinct column names"),
    "ragged": ("x,y\n1,2\n\n3\n", {}, r"1 cells in row 1 \(line 4\) where its header names 2"),
    "unknown target": ("x,yy\n1,2\n", {}, "no column 'y'; did you mean 'yy'"),
    "unknown feature": ("x,y\n1,2\n", {"features": ["X"]}, "no column 'X'; did you mean"),
    "target as feature": ("x,y\n1,2\n", {"features": ["x", "y"]}, "'y' is the target"),
    "missing": ("x,y\n1,2\nNA,3\n5,6\n,7\n", {}, r"'x' has no value in 2 rows, the first row 1 \(line 3: 'NA'\)"),
    "missing target": ("x,y\n1,\n", {}, r"'y' has no value in 1 row, the first row 0 \(line 2: ''\)"),
    "mistyped": ("x,y\n1,2\n\n1.5.2,3\n", {}, r"'x' has text among numbers in 1 row, .* 1 \(line 4: '1.5.2'\)"),
    "names": ("x,y\na,1\nb,2\nc,3\n", {}, "'x' holds a different text in each of its 3 rows"),
    "one class": ("x,y\n1,a\n2,a\n", {}, "'y' is 'a' in all 2 rows"),
    "row numbers": (",x,y\n0,1,2\n1,3,4\n", {}, "a column has no name"),
    "infinite": ("x,y\n1,2\ninf,3\n", {}, "features hold an infinite value in 1 row, the first row 1"),
    "no features": ("y\n1\n2\n", {}, "no columns; give at least one feature"),
    "semicolons": ("x;y\n1,5;2\n2,5;3\n", {}, r"';' between the names .* save it with commas"),
    "semicolons and quotes": ('"x";"y"\n"1,5";"2"\n', {}, r"';' between the names"),
    "tabs": ("x\ty\n1\t2\n2\t3\n", {}, "a tab between the names"),
    "decimal commas": ('y,x\n"1,5",2\n"2,5",3\n"1,5",4\n', {}, r"'y' has numbers with a comma .* \(line 2: '1,5'\)"),
    "shares": ("y,x\n1,20%\n2,30 %\n3,20%\n", {}, "'x' has numbers with a comma or a unit in 3 rows"),
    "one class a row": ("y,x\nann,1\nbob,2\ncy,3\n", {}, "'y' holds a different text in each .* predict a column"),
    "a quotation over lines": ('y,c\n1,a\n2,"b\n3,c\n4,d"\n5,e\n', {}, "a cell of several lines that ends on line 5"),
    "a quotation without end": ('y,x\n1,"2\n2,3\n', {}, "quotation mark in line 2 .* close"),
    "a quotation inside a cell": ('y,x\n1,2\n1,"2"3\n', {}, "quotation mark in line 3 .* double"),
    "a feature twice": ("x,y\n1,2\n", {"features": ["x", "x"]}, "two features would be called 'x'"),
    "a level as a column": ("y,a,a=c\n1,b,1\n2,c,2\n3,c,3\n", {}, "two features would be called 'a=c'; .* rename"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_read_csv_refuses_in_one_sentence(written, case):
    text, options, message = BAD_FILES[case]
    with pytest.raises(ValueError, match=message):
        data.read_csv(written(text), target="y", **options)


@pytest.mark.parametrize(("encoding", "byte"), [("latin-1", "line 3 has the byte 0xf6"), ("utf-16", "0xff")])
def test_read_csv_names_the_file_and_the_line_of_another_encoding(tmp_path, encoding, byte):
    path = tmp_path / "towns.csv"
    path.write_text("town,y\nBonn,1\nKöln,2\n", encoding=encoding)
    with pytest.raises(ValueError, match=f"towns.csv is not in UTF-8: .*{byte}; save it as UTF-8"):
        data.read_csv(path, target="y")


# ---- the package


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    assert doctest.testmod(importlib.import_module(f"lossopt.data.{module}")).failed == 0


@pytest.mark.parametrize("module", MODULES)
def test_no_module_holds_an_optional_package(module):
    held = vars(importlib.import_module(f"lossopt.data.{module}")).values()
    roots = {thing.__name__.split(".")[0] for thing in held if isinstance(thing, types.ModuleType)}
    assert not roots & {"pandas", "sklearn", "matplotlib"}
