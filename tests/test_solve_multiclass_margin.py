"""Multiclass hinges and perceptron: exact minima, beside linear programmes, the binary hinge and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from problems import flat
from scipy.optimize import linprog

import lossopt as lo
from lossopt import data, losses, models


ROWS, COLUMNS, CLASSES = 40, 3, 3
NAMES = ("crammer_singer", "weston_watkins", "multiclass_perceptron")
SEEDS = st.integers(0, 10_000)

each = pytest.mark.parametrize("name", NAMES)


def table(seed, *, integers=False, noise=2.0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(ROWS, COLUMNS))
    if integers:
        features = rng.integers(0, 3, (ROWS, COLUMNS)).astype(float)
    scores = 2 * features @ rng.normal(size=(COLUMNS, classes)) + noise * rng.gumbel(size=(ROWS, classes))
    return data.Dataset(features, np.argmax(scores, axis=1))


def solved(name, d, *, classes=CLASSES, **options):
    return lo.solve(losses.get(name), d, model=models.softmax(classes), **options)


def least(name, d):
    """The minimum without a penalty, by HiGHS: an excess for each example, or for each of its rivals."""
    x, y = np.c_[d.features, np.ones(ROWS)], d.targets
    width, apart = x.shape[1], name == "weston_watkins"
    excesses, beyond = ROWS * (CLASSES if apart else 1), []
    for i in range(ROWS):
        for j in set(range(CLASSES)) - {y[i]}:
            row = np.zeros(width * CLASSES + excesses)
            row[j * width : (j + 1) * width] = x[i]
            row[y[i] * width : (y[i] + 1) * width] = -x[i]
            row[width * CLASSES + (i * CLASSES + j if apart else i)] = -1
            beyond.append(row)
    price = np.r_[np.zeros(width * CLASSES), np.full(excesses, 1 / ROWS)]
    ends = np.full(len(beyond), 0.0 if name == "multiclass_perceptron" else -1.0)
    bounds = [(None, None)] * (width * CLASSES) + [(0, None)] * excesses
    return linprog(price, A_ub=np.array(beyond), b_ub=ends, bounds=bounds).fun


@each
@settings(max_examples=12)
@given(seed=SEEDS, integers=st.booleans(), noise=st.sampled_from([0.0, 2.0, 5.0]))
def test_the_minimum_is_that_of_a_linear_programme_and_the_gap_holds(name, seed, integers, noise):
    d = table(seed, integers=integers, noise=noise)
    found, best = solved(name, d), least(name, d)
    assert found.status.good
    assert -1e-10 <= found.cost - best <= found.gap + 1e-10
    assert 0 <= found.gap <= 1e-9 * max(best, 1e-3)


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_gap_holds_before_the_end(name, steps):
    d = table(steps)
    early, exact = (solved(name, d, l2=0.01, max_iterations=most) for most in (steps, 200))
    assert exact.status.name == "converged"
    assert 0 <= early.cost - exact.cost <= early.gap
    assert early.status.name == "out of steps"


@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_of_two_classes_it_is_the_hinge(name, l2):
    d = table(7, classes=2)
    two = solved(name, d, classes=2, l2=l2)
    one = lo.solve(losses.hinge, d._replace(targets=d.targets.astype(float)), model=models.logistic, l2=l2 / 2)
    np.testing.assert_allclose(two.cost, one.cost, rtol=1e-9)
    np.testing.assert_allclose(two.params.weights[:, 1] - two.params.weights[:, 0], one.params.weights, rtol=1e-6)
    np.testing.assert_allclose(two.params.weights.sum(axis=1), 0, atol=1e-12)


def test_it_is_no_worse_than_a_support_vector_machine_and_not_much_better():
    svm = pytest.importorskip("sklearn.svm")
    d, l2 = table(3), 0.05
    model = models.without_intercept(models.softmax(CLASSES))
    ours = lo.solve(losses.crammer_singer, d, model=model, l2=l2)
    theirs = svm.LinearSVC(
        multi_class="crammer_singer", C=1 / (l2 * ROWS), fit_intercept=False, tol=1e-10, max_iter=1_000_000
    ).fit(d.features, d.targets)
    cost = lo.cost(losses.crammer_singer)(jnp.asarray(d.features @ theirs.coef_.T), jnp.asarray(d.targets))
    cost = cost + l2 / 2 * np.sum(theirs.coef_**2)
    assert -1e-11 <= cost - ours.cost <= 1e-4 * ours.cost


@each
def test_names_of_classes_and_copies_of_rows_do_not_matter(name):
    d = table(11)
    one = solved(name, d, l2=0.02)
    turned = solved(name, d._replace(targets=(d.targets + 1) % CLASSES), l2=0.02)
    np.testing.assert_allclose(jnp.roll(turned.params.weights, -1, axis=1), one.params.weights, rtol=1e-5, atol=1e-7)
    counts = np.arange(ROWS) % 3
    weighted = solved(name, d._replace(weights=counts.astype(float)), l2=0.02)
    repeated = solved(name, jax.tree.map(lambda leaf: np.repeat(leaf, counts, axis=0), d), l2=0.02)
    np.testing.assert_allclose(weighted.cost, repeated.cost, rtol=1e-10)
    np.testing.assert_allclose(flat(weighted), flat(repeated), rtol=1e-5, atol=1e-7)


@each
def test_a_batch_is_a_loop(name):
    sets = [table(seed) for seed in range(4)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *sets)
    together = jax.vmap(lambda d: solved(name, d, l2=0.02))(stacked)
    for i, d in enumerate(sets):
        np.testing.assert_allclose(together.cost[i], solved(name, d, l2=0.02).cost, rtol=1e-10)


@each
def test_separable_classes_and_equal_scores_have_no_single_minimum(name):
    found = solved(name, table(0, noise=0.0))
    assert found.status.name == "not unique"
    np.testing.assert_allclose(found.cost, 0, atol=1e-12)


HOSTILE = {
    "a constant column": lambda x, y: (np.c_[x[:, :2], np.ones(len(x))], y),
    "columns twice": lambda x, y: (x[:, [0, 1, 0]], y),
    "a class that is missing": lambda x, y: (x, np.where(y == 2, 0, y)),
    "one class": lambda x, y: (x, 0 * y),
    "huge features": lambda x, y: (1e300 * x, y),
    "equal rows": lambda x, y: (np.repeat(x[:1], len(x), axis=0), y),
}


@each
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_data_gets_an_answer(name, case):
    d = data.Dataset(*HOSTILE[case](*table(5)[:2]))
    for l2 in (0.0, 0.02):
        found = solved(name, d, l2=l2)
        assert found.status.good
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((found.params, found.cost, found.gap)))
        centred = [leaf.sum(axis=-1) for leaf in found.params]
        assert all(np.all(np.abs(total) <= 1e-9 * (1 + np.abs(flat(found)).max())) for total in centred)


def test_float32_and_more_columns_than_rows():
    d = table(2)
    single = solved("crammer_singer", d._replace(features=d.features.astype(np.float32)), l2=0.02)
    assert single.params.weights.dtype == jnp.float32
    np.testing.assert_allclose(single.cost, solved("crammer_singer", d, l2=0.02).cost, rtol=1e-4)
    wide = data.Dataset(np.random.default_rng(0).normal(size=(8, 12)), np.arange(8) % 3)
    assert solved("crammer_singer", wide, l2=0.02).status.name in ("converged", "minimum norm")


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 2, 1], [1, 2, 0]])
def test_a_class_that_never_occurs_does_not_hide_the_minimum(labels):
    features = np.array([[-1.0, -1.0], [1.0, 1.0], [3.0, -2.0]])
    d = data.Dataset(features, np.array(labels), np.array([1.0, 1.0, 0.0]))
    found = lo.solve(losses.crammer_singer, d, model=models.softmax(3), l2=0.1)
    # Its constant is not determined.
    assert found.status.name == "not unique"
    # Of two classes the weights are half the least that lead by 1, of which the square is 1/16 each.
    np.testing.assert_allclose(found.cost, 0.1 / 2 * 4 / 16, rtol=1e-9)
    assert np.max(np.abs(found.params.bias)) < 10
