"""Penalties on absolute weights: lasso and elastic net, under any smooth convex loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import forget, problem

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve import _blocks, _cleaned


ROWS, COLUMNS = 60, 6


def table(loss, seed=0):
    """Correlated columns in various units, far from 0, of which half do not matter; targets that the loss allows."""
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(ROWS, COLUMNS)) + rng.normal(size=(ROWS, 1))) * np.logspace(-1, 1, COLUMNS) + 3
    score = features @ [5.0, 0.0, -1.0, 0.0, 0.2, 0.0]
    score = score - score.mean() + rng.normal(size=ROWS)
    kind = losses.claims(loss).target
    targets = {
        "binary": score > 0,
        "unit": score > 0,
        "label": np.digitize(score, [-1, 1]),
        "non-negative": rng.poisson(np.exp(score / 8)),
        "positive": np.exp(score / 8),
    }.get(kind, score)
    whole = kind == "label"
    return data.Dataset(features, targets.astype(int if whole else float), rng.integers(0, 3, ROWS).astype(float))


LOSSES = ["half_squared_error", "huber", "expectile", "logistic", "squared_hinge", "poisson", "gamma"]


def check_optimal(loss, d, solution, l1, l2):
    """0 lies in the subdifferential of the cost, to nine digits of the sizes of its parts."""

    def smooth(params):
        scores = jnp.asarray(d.features) @ params.weights
        scores = scores + (params.bias if scores.ndim == 1 else params.bias[None])
        mean = lo.cost(loss)(scores, jnp.asarray(d.targets), weights=jnp.asarray(d.weights))
        return mean + l2 / 2 * jnp.sum(params.weights**2)

    weights, (slopes, by_bias) = np.asarray(solution.params.weights), jax.grad(smooth)(solution.params)
    size = 1e-9 * np.abs(d.features).mean(0).reshape(-1, *(1,) * (weights.ndim - 1))
    assert np.all(np.where(weights == 0, np.abs(slopes) - l1, np.abs(slopes + l1 * np.sign(weights))) <= size)
    np.testing.assert_allclose(by_bias, 0, atol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("l1", "l2"), [(0.03, 0.0), (0.3, 0.01)])
def test_the_subgradient_is_zero_at_the_minimum(name, l1, l2):
    loss = losses.get(name)
    d = table(loss)
    solution = lo.solve(loss, d, l1=l1, l2=l2)
    assert solution.status.name == "converged"
    assert l1 < 0.1 or np.any(solution.params.weights == 0)
    assert np.any(solution.params.weights != 0)
    check_optimal(loss, d, solution, l1, l2)
    assert 0 <= solution.gap <= 1e-9 * abs(solution.cost)


def test_several_classes():
    d = table(losses.softmax_cross_entropy)
    solution = lo.solve(losses.softmax_cross_entropy, d, model=models.softmax(3), l1=0.05)
    assert np.mean(solution.params.weights == 0) > 0.3
    check_optimal(losses.softmax_cross_entropy, d, solution, 0.05, 0.0)
    # The curvature of its penalty, on the weight of a column this small, is beyond that of all the rest.
    small = d._replace(features=d.features * np.array([1e-6, 1e-6, 1, 1, 1, 1]))
    settings = {"model": models.softmax(3), "l1": 1e-4, "l2": 1e-3}
    solution = lo.solve(losses.softmax_cross_entropy, small, **settings)
    assert solution.status.name == "converged"
    assert solution.iterations <= 10
    absent = small._replace(targets=np.where(small.targets == 2, 0, small.targets))
    assert lo.solve(losses.softmax_cross_entropy, absent, **settings).status.name == "no finite minimiser"


@pytest.mark.parametrize(("rows", "columns"), [(100, 8), (30, 80)])
@pytest.mark.parametrize(("l1", "l2"), [(0.02, 0.0), (0.5, 0.0), (0.1, 0.2)])
def test_scikit_learn_finds_nothing_lower(rows, columns, l1, l2):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(rows)
    features = rng.normal(size=(rows, columns)) + 2 * rng.normal(size=(rows, 1))
    targets = features[:, :3] @ [1.0, 2.0, -1.0] + 0.1 * rng.normal(size=rows)
    solution = lo.solve(losses.half_squared_error, data.Dataset(features, targets), l1=l1, l2=l2)
    theirs = linear_model.ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-14, max_iter=10**6)
    theirs.fit(features, targets)
    cost = np.mean((targets - theirs.predict(features)) ** 2) / 2
    cost += l1 * np.abs(theirs.coef_).sum() + l2 / 2 * np.sum(theirs.coef_**2)
    np.testing.assert_allclose(solution.cost, cost, rtol=1e-10)
    np.testing.assert_array_equal(solution.params.weights != 0, np.abs(theirs.coef_) > 1e-9)


@pytest.mark.parametrize(("loss", "steps"), [(losses.poisson, 30), (losses.linex, 15)])
def test_a_wide_table_and_little_penalty_take_tens_of_steps(loss, steps):
    """Without a penalty the fit is perfect: nothing but the penalty says which of the coefficients are not 0."""
    rng = np.random.default_rng(0)
    d = data.Dataset(rng.normal(size=(25, 40)), rng.poisson(2.0, 25).astype(float), np.ones(25))
    solution = lo.solve(loss, d, l1=1e-5)
    assert solution.status.name == "converged"
    assert solution.iterations <= steps
    assert np.sum(solution.params.weights != 0) < 25
    check_optimal(loss, d, solution, 1e-5, 0.0)


def test_orthogonal_columns_are_thresholded():
    rng = np.random.default_rng(1)
    columns = np.linalg.qr(np.c_[np.ones(50), rng.normal(size=(50, 5))])[0][:, 1:] * np.sqrt(50)
    targets = columns @ [2.0, -1.0, 0.3, 0.05, 0.0] + rng.normal(size=50) / 10
    least_squares = columns.T @ targets / 50
    solution = lo.solve(losses.half_squared_error, data.Dataset(columns, targets), l1=0.2)
    expected = np.sign(least_squares) * np.maximum(np.abs(least_squares) - 0.2, 0)
    np.testing.assert_allclose(solution.params.weights, expected, atol=1e-14)


def test_the_largest_slope_at_zero_is_the_penalty_from_which_all_weights_vanish():
    d = problem(0)
    centred = d.features - d.features.mean(0)
    largest = np.max(np.abs(centred.T @ (d.targets - d.targets.mean()))) / len(d.targets)
    solve = lambda l1: lo.solve(losses.half_squared_error, d, l1=l1).params.weights  # noqa: E731
    assert np.all(solve(largest * 1.0001) == 0)
    assert np.sum(solve(largest * 0.9999) != 0) == 1


def test_separable_classes_have_a_minimum_with_a_penalty_and_a_class_that_never_occurs_has_none():
    d = problem(0)
    apart = d._replace(targets=(d.features[:, 0] > 1).astype(float))
    alone = d._replace(targets=np.ones(40))
    assert lo.solve(losses.logistic, apart, l1=1e-6).status.name == "converged"
    assert lo.solve(losses.logistic, alone, l1=1e-2).status.name == "no finite minimiser"


@pytest.mark.parametrize(
    "features",
    [
        np.c_[problem(0).features, np.ones(40)],
        np.c_[problem(0).features, problem(0).features],
        problem(0).features * 1e300,
    ],
    ids=["a constant column", "columns twice", "large numbers"],
)
def test_columns_that_are_hard_to_scale(features):
    plain = lo.solve(losses.huber, problem(0), l1=0.1)
    solution = lo.solve(losses.huber, data.Dataset(features, problem(0).targets), l1=0.1 * features[0, 0] / 1.5)
    assert solution.status.name == "converged"
    assert np.isfinite(solution.cost)
    if features.shape[1] > 3:
        alike = lo.solve(losses.huber, data.Dataset(features, problem(0).targets), l1=0.1)
        np.testing.assert_allclose(alike.cost, plain.cost, rtol=1e-9)


def test_blocks_give_what_the_whole_table_gives(monkeypatch):
    d = table(losses.huber)
    one = lo.solve(losses.huber, d, l1=0.1)
    monkeypatch.setattr(_blocks, "BLOCK", 7 * COLUMNS)
    monkeypatch.setattr(_cleaned, "LARGE", 1)
    forget()
    found = lo.solve(losses.huber, d, l1=0.1)
    forget()
    np.testing.assert_allclose(found.params.weights, one.params.weights, rtol=1e-8)
    np.testing.assert_array_equal(found.params.weights == 0, one.params.weights == 0)


def test_a_path_is_one_programme():
    d, penalties = table(losses.huber), np.logspace(-2, 0, 5)
    path = lo.sweep(losses.huber, d, l1=penalties)["huber"]
    assert path.params.weights.shape == (5, 1, COLUMNS)
    counts = np.sum(path.params.weights[:, 0] != 0, axis=1)
    assert np.all(np.diff(counts) <= 0)
    one = lo.solve(losses.huber, d, l1=penalties[2])
    np.testing.assert_allclose(path.params.weights[2, 0], one.params.weights, rtol=1e-8)
