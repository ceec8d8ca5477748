"""Counts and positive amounts: solved exactly as R and statsmodels do, and honest where there is no minimum."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import statsmodels.api as sm

import lossopt as lo
from lossopt import data, losses, models


LBFGS = optax.lbfgs()


def coefficients(solution):
    return np.r_[solution.params.bias, solution.params.weights]


# Dobson (1990), Annals of Statistics example in R's help page of glm; treatments and outcomes as indicators.
COUNTS = np.array([18, 17, 15, 20, 10, 20, 25, 13, 12])
LEVELS = np.array([(outcome == 2, outcome == 3, treatment == 2, treatment == 3)
                   for treatment in (1, 2, 3) for outcome in (1, 2, 3)], float)  # fmt: skip
# Clotting times of McCullagh and Nelder (1989), page 300.
PLASMA = np.log([[5.0], [10], [15], [20], [30], [40], [60], [80], [100]])
CLOTTING = np.array([118.0, 58, 42, 35, 27, 25, 21, 19, 18])

# Coefficients and deviances by R 4.2.2, glm(epsilon = 1e-15).
R = {
    "poisson": (
        data.Dataset(LEVELS, COUNTS),
        [3.04452243772342, -0.454255272277597, -0.292987124681474, 0.0, 0.0],
        5.12914107700114,
    ),
    "gamma": (data.Dataset(PLASMA, CLOTTING), [5.50323022611988, -0.60191767132055], 0.162608294497331),
}


@pytest.mark.parametrize("name", R)
def test_a_regression_of_amounts_is_that_of_r(name):
    table, expected, deviance = R[name]
    solution = lo.solve(lo.bind(losses.get(name), full=True), table)
    assert solution.status.name == "converged"
    np.testing.assert_allclose(coefficients(solution), expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(2 * len(table.targets) * solution.cost, deviance, rtol=1e-8)
    assert 0 <= solution.gap < 1e-12


RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 2))
MEAN = np.exp(1.0 + X @ [0.6, -0.4])
AMOUNTS = MEAN * RNG.gamma(2.0, 0.5, size=60)
FAMILIES = {
    "poisson": (RNG.poisson(MEAN), {}, sm.families.Poisson()),
    "negative_binomial": (RNG.poisson(AMOUNTS), {"dispersion": 0.7}, sm.families.NegativeBinomial(alpha=0.7)),
    "gamma": (AMOUNTS, {}, sm.families.Gamma(sm.families.links.Log())),
    "inverse_gaussian": (AMOUNTS, {}, sm.families.InverseGaussian(sm.families.links.Log())),
    "tweedie": (np.where(AMOUNTS < 1, 0, AMOUNTS), {"power": 1.6}, sm.families.Tweedie(var_power=1.6)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_the_generalised_linear_model_of_statsmodels(name):
    y, setting, family = FAMILIES[name]
    theirs = sm.GLM(y, sm.add_constant(X), family=family).fit(tol=1e-14, tol_criterion="params", maxiter=200)
    solution = lo.solve(lo.bind(losses.get(name), full=True, **setting), data.Dataset(X, y))
    assert solution.status.good
    np.testing.assert_allclose(coefficients(solution), theirs.params, rtol=1e-8)
    np.testing.assert_allclose(2 * len(y) * solution.cost, theirs.deviance, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-6, 1e9])
def test_the_unit_of_the_counts_only_moves_the_bias(scale):
    y = FAMILIES["poisson"][0]
    plain, scaled = (lo.solve(losses.poisson, data.Dataset(X, unit * y)) for unit in (1.0, scale))
    assert scaled.status.good
    np.testing.assert_allclose(scaled.params.weights, plain.params.weights, rtol=1e-8)
    np.testing.assert_allclose(scaled.params.bias - plain.params.bias, np.log(scale), rtol=1e-8)


@pytest.mark.parametrize("loss", [losses.poisson, lo.bind(losses.tweedie, power=1.5), losses.negative_binomial])
def test_counts_of_nothing_have_no_finite_minimiser(loss):
    solution = lo.solve(loss, data.Dataset(X, np.zeros(60)))
    assert solution.status.name == "no finite minimiser"
    assert not solution.status.good
    assert np.isfinite(coefficients(solution)).all()


@pytest.mark.parametrize("loss", [losses.poisson, lo.bind(losses.tweedie, power=1.5)])
def test_more_coefficients_than_counts_have_no_finite_minimiser_if_some_are_zero(loss):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        solution = lo.solve(loss, data.Dataset(rng.normal(size=(12, 16)), np.arange(12) % 4))
        assert solution.status.name == "no finite minimiser"
        assert solution.iterations < 12


def test_a_score_at_which_a_loss_without_its_constants_is_nearly_0_has_no_sharp_bend():
    # Of the row (2, 1) one amount is 2, the other 0, so that its score tends to 0.
    rows = np.array([[2.0, 2.0], [0, 0], [1, 1], [2, 1], [0, 0], [1, 1], [2, 1], [1, 1], [0, 2]])
    solution = lo.solve(lo.bind(losses.tweedie, power=1.5), data.Dataset(rows, 2.0 * (np.arange(9) == 3)))
    assert solution.status.name == "no finite minimiser"


def test_where_steps_to_infinity_have_become_short_is_no_minimum():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(12, 16)) * 10.0 ** rng.integers(-3, 4, 16) + 10.0 ** rng.integers(-2, 3, 16)
    assert not lo.solve(losses.poisson, data.Dataset(features, np.arange(12) % 4)).status.good


def test_a_group_without_a_count_has_no_finite_minimiser_and_a_penalty_gives_one():
    group = (np.arange(60) < 20).astype(float)[:, None]
    y = np.where(group[:, 0] == 1, 0, 3)
    assert lo.solve(losses.poisson, data.Dataset(group, y)).status.name == "no finite minimiser"
    assert lo.solve(losses.poisson, data.Dataset(group, y), l2=0.1).status.good


def test_successes_in_many_trials_are_logistic_with_weights():
    y = RNG.binomial(12, 1 / (1 + np.exp(-X[:, 0])))
    many = lo.solve(lo.bind(losses.binomial, trials=12.0), data.Dataset(X, y), model=models.logistic)
    one = lo.solve(losses.logistic, data.Dataset(X, y / 12), model=models.logistic)
    assert many.status.name == "converged"
    np.testing.assert_allclose(coefficients(many), coefficients(one), rtol=1e-9)


def test_an_offset_is_added_by_the_caller():
    exposure = 1 + np.arange(60) % 7
    y = RNG.poisson(exposure * MEAN)
    objective = lambda p, d: jnp.mean(  # noqa: E731
        lo.per_example(losses.poisson)(d[0] @ p + d[1], d[2])
    )
    table = (jnp.c_[jnp.ones(60), X], jnp.log(exposure.astype(float)), jnp.asarray(y, float))
    fitted = lo.minimise(objective, jnp.zeros(3), table, optimizer=LBFGS, num_steps=60)
    theirs = sm.GLM(y, sm.add_constant(X), family=sm.families.Poisson(), offset=np.log(exposure)).fit(tol=1e-14)
    np.testing.assert_allclose(fitted.params, theirs.params, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [20, 200, 1e5])
def test_a_group_of_nothing_beside_many_counts_has_no_finite_minimiser(level, dtype):
    group = np.repeat([0.0, 1.0], 20)
    targets = np.where(group == 1, 0.0, level + np.arange(40) % 5)
    found = lo.solve(losses.negative_binomial, data.Dataset(group[:, None].astype(dtype), targets.astype(dtype)))
    assert found.status.name == "no finite minimiser"
    assert found.iterations < 20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nor_has_it_with_more_columns_than_counts(dtype):
    counts = np.where(np.arange(8) % 2, 0, 100 + np.arange(8)).astype(dtype)
    features = np.random.default_rng(0).normal(size=(8, 12)).astype(dtype)
    assert lo.solve(losses.negative_binomial, data.Dataset(features, counts)).status.name == "no finite minimiser"


@pytest.mark.parametrize("level", [-5.0, -60.0, -800.0])
def test_a_start_beside_which_nothing_is_left_of_the_slopes_is_no_minimum(level):
    group = (np.arange(60) % 3 == 0).astype(float)
    d = data.Dataset(np.c_[group, X[:, 0]], np.where(group == 1, 0, 3 + np.arange(60) % 4))
    init = models.Params(jnp.array([level, 0.0]), jnp.ones(()))
    assert lo.solve(losses.poisson, d, init=init).status.name == "no finite minimiser"
    penalised, anew = (lo.solve(losses.poisson, d, l2=0.1, init=start) for start in (init, None))
    assert penalised.status.name == "converged"
    np.testing.assert_allclose(penalised.cost, anew.cost, rtol=1e-12)
