"""Penalties on absolute weights under piecewise-linear losses: linear programmes, which HiGHS solves as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import lossopt as lo
from lossopt import data, losses, models


# A loss as the largest of lines: slope and value at 0, in residual (prediction - target) or margin.
LINES = {
    "absolute_error": ((1.0, 0.0), (-1.0, 0.0)),
    "quantile": ((0.2, 0.0), (-0.8, 0.0)),
    "epsilon_insensitive": ((1.0, -0.3), (-1.0, -0.3), (0.0, 0.0)),
    "hinge": ((-1.0, 1.0), (0.0, 0.0)),
    "perceptron": ((-1.0, 0.0), (0.0, 0.0)),
}


def bound(name):
    return {
        "quantile": lo.bind(losses.quantile, level=0.8),
        "epsilon_insensitive": lo.bind(losses.epsilon_insensitive, epsilon=0.3),
    }.get(name, losses.get(name))


def table(name, rows=80, columns=5, seed=0):
    """Columns in various units, far from 0, of which half do not matter."""
    rng = np.random.default_rng(seed)
    scale = np.logspace(-1, 1, columns)
    features = (rng.normal(size=(rows, columns)) + 1) * scale
    score = features @ (np.resize([1.0, 0.0, -1.0], columns) / scale)
    score = score - score.mean() + rng.standard_t(2, size=rows)
    targets = (score > 0).astype(float) if name in ("hinge", "perceptron") else score
    return data.Dataset(features, targets, rng.integers(0, 3, rows).astype(float))


def least(name, d, l1):
    """The minimum, by a linear programme in the positive and negative parts of weights and bias, and the losses."""
    n, columns = d.features.shape
    share = d.weights / d.weights.sum()
    rows = np.c_[d.features, np.ones(n)]
    sign = 2 * d.targets - 1 if name in ("hinge", "perceptron") else np.ones(n)
    shift = np.zeros(n) if name in ("hinge", "perceptron") else d.targets
    each = [
        (np.c_[slope * sign[:, None] * rows, -slope * sign[:, None] * rows, -np.eye(n)], slope * shift - level)
        for slope, level in LINES[name]
    ]
    penalty = np.r_[np.full(columns, l1), 0.0]
    found = linprog(
        np.r_[penalty, penalty, share],
        A_ub=np.concatenate([matrix for matrix, _ in each]),
        b_ub=np.concatenate([right for _, right in each]),
        bounds=[(0, None)] * (2 * columns + 2) + [(None, None)] * n,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0
    return found.fun, (found.x[:columns] - found.x[columns + 1 : 2 * columns + 1])


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("l1", [0.003, 0.1])
def test_highs_finds_nothing_lower(name, l1):
    d = table(name)
    solution, (cost, weights) = lo.solve(bound(name), d, l1=l1), least(name, d, l1)
    assert solution.status.good
    np.testing.assert_allclose(solution.cost, cost, rtol=1e-9, atol=1e-9)
    assert solution.gap <= 1e-8 * max(cost, 1e-3)
    # The perceptron is content with no weights at all.
    assert (cost == 0) == (name == "perceptron")
    if cost > 0:
        np.testing.assert_array_equal(solution.params.weights == 0, np.abs(weights) < 1e-9)
        assert l1 < 0.1 or np.any(solution.params.weights == 0)


def test_more_columns_than_rows():
    d = table("absolute_error", rows=20, columns=40)._replace(weights=np.ones(20))
    for l1 in (0.001, 0.01, 0.3):
        solution, (cost, _) = lo.solve(losses.absolute_error, d, l1=l1), least("absolute_error", d, l1)
        np.testing.assert_allclose(solution.cost, cost, rtol=1e-9)
        assert np.sum(solution.params.weights != 0) <= 20
        # A fit through all rows, but for the penalty: the forces of the weights have little room.
        assert solution.gap <= 1e-9 * solution.cost
        assert solution.status.name == "converged"


def test_of_two_columns_in_different_units_the_larger_is_taken():
    d = table("absolute_error")
    twice = d._replace(features=np.c_[d.features, 2 * d.features])
    solution, (cost, _) = lo.solve(losses.absolute_error, twice, l1=0.05), least("absolute_error", twice, 0.05)
    np.testing.assert_allclose(solution.cost, cost, rtol=1e-9)
    assert np.all(np.abs(solution.params.weights[:5]) <= 1e-6 * np.abs(solution.params.weights).max())


def test_l2_as_well_and_a_strong_penalty_leave_nothing():
    d, bent = table("quantile"), bound("quantile")
    solution = lo.solve(bent, d, l1=0.02, l2=0.05)

    def objective(params):
        scores = jnp.asarray(d.features) @ params.weights + params.bias
        mean = lo.cost(bent)(scores, jnp.asarray(d.targets), weights=jnp.asarray(d.weights))
        return mean + 0.02 * jnp.sum(jnp.abs(params.weights)) + 0.025 * jnp.sum(params.weights**2)

    np.testing.assert_allclose(solution.cost, objective(solution.params), rtol=1e-14)
    assert solution.gap <= 1e-8 * solution.cost
    rng = np.random.default_rng(0)
    for size in np.logspace(-6, -2, 60):
        near = jax.tree.map(lambda leaf, size=size: leaf + size * rng.normal(size=leaf.shape), solution.params)
        assert objective(near) >= solution.cost * (1 - 1e-12)
    assert np.all(lo.solve(bent, d, l1=100.0).params.weights == 0)


def test_several_quantiles_are_the_quantiles_one_by_one():
    d, levels = table("quantile"), jnp.array([0.2, 0.5, 0.9])
    together = lo.solve(lo.bind(losses.multi_quantile, levels=levels), d, model=models.multi_output(3), l1=0.02)
    each = [lo.solve(lo.bind(losses.quantile, level=level), d, l1=0.06).cost for level in levels]
    np.testing.assert_allclose(together.cost, np.mean(each), rtol=1e-9)


def test_a_path_is_one_programme_and_begins_without_a_penalty():
    d, penalties = table("absolute_error"), np.array([0.0, 0.01, 0.1])
    path = lo.sweep(losses.absolute_error, d, l1=penalties)["absolute_error"]
    for i, l1 in enumerate(penalties):
        np.testing.assert_allclose(path.cost[i, 0], lo.solve(losses.absolute_error, d, l1=l1).cost, rtol=1e-9)


def test_a_loss_that_is_neither_smooth_nor_of_one_score_has_no_method_with_l1():
    d = table("hinge")._replace(targets=np.resize([0, 1, 2], 80))
    with pytest.raises(ValueError, match=r"piecewise linear in one score"):
        lo.solve(losses.crammer_singer, d, model=models.softmax(3), l1=0.1)


@pytest.mark.parametrize("l1", [0.2, 10.0])
def test_weights_that_are_nothing_are_0_in_single_precision_too(l1):
    rng = np.random.default_rng(4)
    features = rng.normal(size=(100, 8)).astype(np.float32)
    targets = 2 * features[:, 0] + rng.standard_t(2, 100).astype(np.float32) > 0
    found, wide = (lo.solve(losses.hinge, data.Dataset(features, targets), l1=l1, dtype=d) for d in (None, jnp.float64))
    assert found.params.weights.dtype == jnp.float32
    np.testing.assert_array_equal(found.params.weights == 0, wide.params.weights == 0)
    assert np.any(found.params.weights == 0)
