"""Losses with a kink that are not convex: local minima by rounding the kink off, against other ways to find them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

import lossopt as lo
from lossopt import data, losses, models


LOCATED = models.multi_output(2)
LAPLACE, SHARE = losses.laplace_nll, losses.symmetric_absolute_percentage_error


def table(n, d, seed, positive=False):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d))
    inner = features @ rng.normal(size=d)
    if positive:
        return data.Dataset(features, 3 * np.exp(0.4 * inner + 0.3 * rng.normal(size=n)))
    return data.Dataset(features, 1 + inner + rng.laplace(size=n) * np.exp(0.3 * features[:, 0]))


def by_turns(d):
    """The cost of Laplace's law: a weighted median by linear programming, a log mean of deviations, and so on."""
    table, y = np.c_[np.ones(len(d.targets)), d.features], np.asarray(d.targets)
    (n, m), last = table.shape, np.inf
    log_scale = np.r_[np.log(np.mean(np.abs(y - np.median(y)))), np.zeros(m - 1)]
    for _ in range(50):
        weight = np.exp(-table @ log_scale)
        prices, bounds = np.r_[np.zeros(m), weight, weight], [(None, None)] * m + [(0, None)] * 2 * n
        found = linprog(prices, A_eq=np.c_[table, np.eye(n), -np.eye(n)], b_eq=y, bounds=bounds, method="highs")
        apart = np.abs(y - table @ found.x[:m])
        for _ in range(40):
            relative = apart * np.exp(-table @ log_scale)
            hessian = table.T @ (relative[:, None] * table)
            log_scale = log_scale - np.linalg.solve(hessian, table.T @ (1 - relative))
        cost = np.mean(table @ log_scale + apart * np.exp(-table @ log_scale))
        if abs(cost - last) < 1e-15:
            break
        last = cost
    return cost


@pytest.mark.parametrize(("n", "d"), [(60, 2), (500, 6)])
def test_laplace_is_as_low_as_by_turns(n, d):
    given = table(n, d, n)
    found = lo.solve(LAPLACE, given, model=LOCATED)
    assert found.status.name == "local minimum"
    assert np.isinf(found.gap)
    np.testing.assert_allclose(found.cost, by_turns(given), rtol=1e-11)


def test_laplace_of_a_constant_is_the_median_and_the_mean_deviation():
    y = np.random.default_rng(0).standard_t(3, size=101) * 1e5
    found = lo.solve(LAPLACE, data.Dataset(np.zeros((101, 1)), y), model=LOCATED)
    median = np.median(y)
    np.testing.assert_allclose(found.params.bias, [median, np.log(np.mean(np.abs(y - median)))], rtol=1e-9)


def test_symmetric_share_of_a_constant_is_one_of_its_minima():
    y = np.random.default_rng(1).lognormal(size=61)
    found = lo.solve(SHARE, data.Dataset(np.zeros((61, 1)), y))
    costs = np.mean(2 * np.abs(y[None] - y[:, None]) / (y[None] + y[:, None]), axis=1)[np.argsort(y)]
    # Between two targets it is not convex upwards, so minima lie at targets.
    minima = costs[1:-1][(costs[1:-1] <= costs[:-2]) & (costs[1:-1] <= costs[2:])]
    assert np.min(np.abs(minima - found.cost)) <= 1e-11


@pytest.mark.parametrize(("n", "d"), [(60, 2), (500, 6)])
def test_no_step_from_the_symmetric_share_s_minimum_costs_less(n, d):
    given = table(n, d, n, positive=True)
    found = lo.solve(SHARE, given)
    assert found.status.name == "local minimum"
    steps = np.random.default_rng(0).normal(size=(2000, d + 1))
    steps /= np.linalg.norm(steps, axis=1)[:, None]
    for size in (1e-3, 1e-5, 1e-7):
        scores = given.features @ (found.params.weights[:, None] + size * steps[:, 1:].T)
        scores = np.asarray(scores + (found.params.bias + size * steps[:, :1].T))
        y = np.asarray(given.targets)[:, None]
        costs = np.mean(2 * np.abs(y - scores) / (np.abs(y) + np.abs(scores)), axis=0)
        assert np.min(costs) >= found.cost * (1 - 1e-10)


@pytest.mark.parametrize(("loss", "model"), [(LAPLACE, LOCATED), (SHARE, models.linear)])
def test_a_weight_is_a_number_of_copies_and_units_do_not_matter(loss, model):
    given = table(200, 3, 5, positive=True)
    twice = data.Dataset(np.r_[given.features, given.features[:50]], np.r_[given.targets, given.targets[:50]])
    weights = np.r_[np.full(50, 2.0), np.ones(150)]
    copied, weighted = (lo.solve(loss, d, model=model) for d in (twice, given._replace(weights=weights)))
    np.testing.assert_allclose(copied.cost, weighted.cost, rtol=1e-11)
    plain, scaled = (lo.solve(loss, given._replace(targets=given.targets * unit), model=model) for unit in (1, 1e100))
    assert scaled.status.name == "local minimum"
    expected = plain.cost + (100 * np.log(10) if loss is LAPLACE else 0.0)
    np.testing.assert_allclose(scaled.cost, expected, rtol=1e-10)


def test_many_at_once_and_in_single_precision():
    several = [table(150, 3, seed) for seed in range(4)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *several)
    together = jax.jit(jax.vmap(lambda d: lo.solve(LAPLACE, d, model=LOCATED)))(stacked)
    for index, given in enumerate(several):
        alone = lo.solve(LAPLACE, given, model=LOCATED)
        np.testing.assert_allclose(together.cost[index], alone.cost, rtol=1e-11)
        single = jax.tree.map(lambda leaf: leaf.astype(np.float32), given)
        found = lo.solve(LAPLACE, single, model=LOCATED)
        assert found.status.name == "local minimum"
        np.testing.assert_allclose(found.cost, alone.cost, rtol=1e-5)


def test_a_likelihood_of_a_long_table_in_single_precision():
    # Where a loss is nearly 0, which is not the least that it may be, it says nothing of the curvature.
    given = table(20_000, 20, 7)
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), given)
    found, exact = (lo.solve(losses.logistic_nll, d, model=LOCATED) for d in (single, given))
    assert found.status.name == exact.status.name == "local minimum"
    np.testing.assert_allclose(found.cost, exact.cost, rtol=1e-5)


def test_targets_without_noise_leave_no_minimum():
    given = table(50, 2, 3)
    exact = given._replace(targets=np.asarray(given.features) @ [1.0, 2.0])
    assert lo.solve(LAPLACE, exact, model=LOCATED).status.name == "no finite minimiser"


# Absolute errors and squares: their shares, the unit and the outliers of the targets.
@pytest.mark.parametrize(
    ("absolute", "squared", "unit", "outliers"), [(0.3, 0.7, 1.0, 0), (3.0, 0.1, 1e6, 0), (3.0, 0.1, 1e-6, 40)]
)
def test_absolute_and_squared_errors_together_are_minimised_exactly(absolute, squared, unit, outliers):
    given = table(300, 4, 2)
    y = (given.targets + np.r_[np.full(outliers, 1e4), np.zeros(300 - outliers)]) * unit
    loss = losses.mixture({losses.absolute_error: absolute, losses.squared_error: squared / unit})
    found = lo.solve(loss, given._replace(targets=y))
    assert found.status.name == "converged"
    assert 0 <= found.gap <= 1e-6 * found.cost
    # Given which examples are met exactly and on which side the others are, it is least squares with equations.
    rows, weights = np.c_[np.ones(300), given.features], np.r_[found.params.bias, found.params.weights]
    r = y / unit - rows @ weights / unit
    met = np.abs(r) < 1e-8
    equations, pull = rows[met], absolute * (np.sign(r) * ~met)
    upper = np.c_[2 * squared * rows.T @ rows, -absolute * equations.T]
    lower = np.c_[equations, np.zeros((met.sum(), met.sum()))]
    right = np.r_[rows.T @ (2 * squared * y / unit + pull), y[met] / unit]
    exact = np.linalg.solve(np.r_[upper, lower], right)
    assert np.all(np.abs(exact[5:]) <= 1)
    apart = y / unit - rows @ exact[:5]
    expected = unit * np.mean(absolute * np.abs(apart) + squared * apart**2)
    np.testing.assert_allclose(found.cost, expected, rtol=1e-12)


def test_a_long_table_is_gone_through_by_the_block():
    loss = losses.mixture({losses.absolute_error: 0.3, losses.huber: 1.0})
    given = table(55_000, 40, 4)
    long = lo.solve(loss, given)
    assert long.status.name == "converged"
    assert 0 <= long.gap <= 1e-6 * long.cost
    # No step costs less.
    steps = 1e-4 * np.random.default_rng(0).normal(size=(20, 41))
    for step in steps:
        scores = given.features @ (long.params.weights + step[1:]) + long.params.bias + step[0]
        assert lo.cost(loss)(scores, jnp.asarray(given.targets)) >= long.cost
