"""The solver against numbers from outside: NIST's certified regressions and R's fits."""

import csv
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from lossopt import data, losses, models
from lossopt.train import objective_of


FOLDER = pathlib.Path(__file__).parent / "reference"
NIST = json.loads((FOLDER / "nist.json").read_text())["problems"]
R = json.loads((FOLDER / "r.json").read_text())
# Correct digits that the solver must reach in float64.
DIGITS = dict.fromkeys(("Norris", "NoInt1", "NoInt2", "Longley", "Pontius", "Wampler1", "Wampler2", "Wampler3"), 9)
DIGITS |= {"Wampler4": 7, "Wampler5": 5, "Filip": 7}


def nist(name):
    """The regression without its intercept column, the model, and the certified coefficients, intercept last."""
    problem = NIST[name]
    x = np.array(problem["x"], float)
    certified = np.array(problem["certified"], float)
    through_origin = name.startswith("NoInt")
    degree = len(certified) - 1
    if x.shape[1] == 1 and degree > 1:
        x = x ** np.arange(1, degree + 1)
    model = models.without_intercept(models.linear) if through_origin else models.linear
    certified = certified if through_origin else np.r_[certified[1:], certified[0]]
    return data.Dataset(x, np.array(problem["y"], float)), model, certified


def coefficients(params):
    """All of them, intercept first as R has it; without one, the weights."""
    return np.r_[params.weights] if params.bias is None else np.r_[params.bias, params.weights]


def relative(found, expected):
    """The largest error over the size of the number itself."""
    return np.max(np.abs(np.asarray(found) - np.asarray(expected)) / np.abs(np.asarray(expected)))


@pytest.mark.parametrize("loss", [losses.squared_error, losses.half_squared_error], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("name", DIGITS)
def test_certified_digits(name, loss):
    d, model, certified = nist(name)
    solution = lo.solve(loss, d, model=model)
    found = np.r_[tuple(jnp.atleast_1d(leaf) for leaf in jax.tree.leaves(solution.params))]
    digits = -np.log10(np.maximum(np.abs(found - certified) / np.abs(certified), 1e-16))
    assert digits.min() >= DIGITS[name]
    assert solution.status.name == "converged"


def test_rmse_has_a_gradient_at_zero_residual():
    d, model, certified = nist("Wampler1")
    params = models.Params(jnp.asarray(certified[:-1]), jnp.asarray(certified[-1]))
    rmse = lambda p: lo.rmse(jax.vmap(model.predict, (None, 0))(p, jnp.asarray(d.features)), jnp.asarray(d.targets))  # noqa: E731
    value, gradient = jax.value_and_grad(rmse)(params)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


FITS = {
    "squared_error": lambda fit: (losses.squared_error, fit["ols"]),
    "huber": lambda fit: (lo.bind(losses.huber, delta=fit["huber"]["delta"]), fit["huber"]["coef"]),
    "huber, proposal 2": lambda fit: (
        lo.bind(losses.huber, delta=fit["huber_prop2"]["delta"]),
        fit["huber_prop2"]["coef"],
    ),
    "tukey": lambda fit: (lo.bind(losses.tukey, c=fit["tukey"]["c"]), fit["tukey"]["coef"]),
}


@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize("name", R["regression"])
def test_robust_coefficients_are_those_of_r(name, method):
    loss, expected = FITS[method](R["regression"][name])
    solution = lo.solve(loss, data.load(name))
    assert relative(coefficients(solution.params), expected) < 1e-7
    assert solution.status.good


@pytest.mark.parametrize("name", R["regression"])
def test_least_absolute_deviations_reach_the_objective_of_r(name):
    d = data.load(name)
    solution = lo.solve(losses.absolute_error, d)
    expected = R["regression"][name]["lad_sum"] / len(d.targets)
    assert abs(solution.cost - expected) <= 1e-8 * expected
    assert 0 <= solution.gap <= 1e-8 * expected


@pytest.mark.parametrize("name", R["quantile"])
def test_quantiles_reach_the_objective_of_r(name):
    d = data.load(name)
    for row in R["quantile"][name]:
        solution = lo.solve(lo.bind(losses.quantile, level=row["level"]), d)
        expected = row["check_loss_sum"] / len(d.targets)
        assert abs(solution.cost - expected) <= 1e-8 * expected, row
        assert 0 <= solution.gap <= 1e-8 * expected, row


def test_expectiles_are_those_of_r():
    d = data.load("engel")
    for row in R["expectile"]["engel"]["taus"]:
        solution = lo.solve(lo.bind(losses.expectile, level=row["tau"]), d)
        np.testing.assert_allclose(coefficients(solution.params), list(row["coef_laws"].values()), rtol=1e-8)


@pytest.mark.parametrize(("name", "reference"), [("birthwt", "birthwt_MASS"), ("biopsy", "biopsy")])
def test_logistic_regression_is_that_of_r(name, reference):
    d = data.load(name)
    solution = lo.solve(losses.logistic, d, model=models.logistic)
    expected = R["glm"][reference]
    names = data.describe(name).features
    assert len(names) + 1 == len(expected["coef"])
    assert relative(np.sort(coefficients(solution.params)), np.sort(expected["coef"])) < 1e-8
    assert abs(2 * len(d.targets) * solution.cost - expected["deviance"]) < 1e-9 * expected["deviance"]


EVERYWHERE = {"huber": lo.bind(losses.huber, delta=1.345), "squared_error": losses.squared_error}
SMOOTH = EVERYWHERE | {
    "pseudo_huber": losses.pseudo_huber,
    "log_cosh": losses.log_cosh,
    "expectile": lo.bind(losses.expectile, level=0.9),
}
# The easiest and the two hardest for all of them.
SMOOTH_FITS = [
    *((loss, name) for loss in EVERYWHERE for name in R["regression"]),
    *((loss, name) for loss in SMOOTH for name in ("stackloss", "Longley", "Filip")),
]


@jax.jit
def derivatives(loss, predictions, targets):
    """Slopes and curvatures of every example."""
    return [jax.vmap(f)(predictions, targets) for f in (jax.grad(loss), jax.grad(jax.grad(loss)))]


@pytest.mark.parametrize(("loss", "name"), dict.fromkeys(SMOOTH_FITS))
def test_gradient_is_rounding(loss, name):
    loss = SMOOTH[loss]
    d, model = (data.load(name), models.linear) if name in R["regression"] else nist(name)[:2]
    d = data.validate(d)
    solution = lo.solve(loss, d, model=model)
    x, params = jnp.c_[d.features, jnp.ones(len(d.targets))], jnp.append(solution.params.weights, solution.params.bias)
    slopes, curvatures = derivatives(jax.tree_util.Partial(loss), x @ params, d.targets)
    # Each component against the sum of the sizes of its own terms: Filip's columns differ by 1e9 in scale. On
    # Longley and Filip rounding the coefficients to float64 already moves it further, which is the second term.
    scale = jnp.sum(jnp.abs(x * slopes[:, None]), axis=0)
    rounding = jnp.finfo(float).eps * jnp.abs(x).T @ (jnp.abs(curvatures) * (jnp.abs(x) @ jnp.abs(params)))
    assert jnp.all(jnp.abs(x.T @ slopes) <= 1e-10 * scale + rounding)


def test_the_cost_reported_is_the_objective_at_the_parameters():
    d = data.load("stackloss")
    solution = lo.solve(losses.huber, d, l2=0.1)
    again = objective_of(models.linear)(solution.params, d, loss=losses.huber, l2=0.1)
    np.testing.assert_allclose(solution.cost, again, rtol=1e-13)


def read(name):
    """The columns of a table beside this file, by name; numbers where there are only numbers."""
    with (pathlib.Path(__file__).parent / "reference" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: np.array([row[column] for row in rows]) for column in rows[0]}


def test_a_multinomial_regression_is_that_of_r():
    # Fox and Andersen (2006), the British Election Panel Study in R's carData; deviance by nnet::multinom.
    table = read("beps.csv")
    number = lambda name: table[name].astype(float)  # noqa: E731
    plain = ["age", "economic.cond.national", "economic.cond.household", "Blair", "Hague", "Kennedy", "Europe"]
    columns = [*map(number, [*plain, "political.knowledge"]), number("Europe") * number("political.knowledge")]
    features = np.column_stack([*columns, table["gender"] == "male"]).astype(float)
    labels = np.unique(table["vote"], return_inverse=True)[1]
    solution = lo.solve(losses.softmax_cross_entropy, data.Dataset(features, labels), model=models.softmax(3))
    np.testing.assert_allclose(2 * len(labels) * solution.cost, 2233.03933108213, rtol=1e-12)
    assert solution.status.name == "converged"


def test_a_poisson_regression_is_that_of_r():
    # Long (1990), articles of biochemists in R's pscl; glm(epsilon = 1e-15).
    table = read("biochemists.csv")
    flags = [table["fem"] == "Women", table["mar"] == "Married"]
    features = np.column_stack([*flags, *(table[name].astype(float) for name in ("kid5", "phd", "ment"))])
    solution = lo.solve(lo.bind(losses.poisson, full=True), data.Dataset(features, table["art"].astype(int)))
    np.testing.assert_allclose(2 * len(features) * solution.cost, 1634.37098425277, rtol=1e-12)


def test_support_vector_machines_are_those_of_libsvm():
    features, labels = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)
    # |w|²/2 + Σ hinge by libsvm, which stops 1e-6 above the minimum.
    soft = lo.solve(losses.hinge, data.Dataset(features[50:], labels[50:] - 1), model=models.logistic, l2=0.01)
    np.testing.assert_allclose(100 * soft.cost, 15.759888394865168, rtol=2e-6)
    assert 100 * soft.cost < 15.759888394865168
    # The separator of maximum margin through the origin, by a quadratic programme: the limit of small penalties.
    table = data.Dataset(np.c_[features[:100], np.ones(100)], labels[:100])
    hard = lo.solve(losses.hinge, table, model=models.without_intercept(models.logistic), l2=1e-6)
    widest = [-0.30945587890529946, -0.42971160977450484, 1.0455034037979223, 0.6178250785520165, -0.16361379094768191]
    np.testing.assert_allclose(hard.params.weights, widest, atol=1e-8)
