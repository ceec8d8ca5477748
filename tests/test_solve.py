"""The solver's behaviour: batches, weights, penalties, rank, units, precision, starts, a user's own loss, bad input.

What it must agree with from outside is in `test_solve_reference`, its certificates in `test_solve_certificates`.
"""

import functools
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from problems import fitted, flat, model_of, problem

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve._method import choose_method
from lossopt.solve._traits import traits
from lossopt.train import objective_of


FOLDER = pathlib.Path(__file__).parent / "reference"
SEEDS, SCALES = st.integers(0, 10_000), st.floats(-8.0, 8.0).map(lambda power: 10.0**power)

# One loss of each algorithm and task, all at one shape, so that every test below shares their compilations.
REGRESSION = {
    "squared_error": losses.squared_error,
    "huber": lo.bind(losses.huber, delta=0.7),
    "tukey": lo.bind(losses.tukey, c=4.685),
    "quantile": lo.bind(losses.quantile, level=0.3),
}
BINARY = {"logistic": losses.logistic, "squared_hinge": losses.squared_hinge, "hinge": losses.hinge}
ALL = REGRESSION | BINARY


def gradient(loss, d, solution, l2):
    """The gradient of what `fit` minimises, by its own objective."""
    objective = lambda params: objective_of(model_of(loss))(params, data.validate(d), loss=loss, l2=l2)  # noqa: E731
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(jax.grad(objective)(solution.params))])


each_loss = pytest.mark.parametrize("loss", ALL.values(), ids=ALL)


@each_loss
def test_vmap_over_data_sets_is_a_loop(loss):
    sets = [problem(seed, loss) for seed in range(5)]
    together = jax.vmap(lambda d: fitted(loss, d))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *sets))
    apart = [fitted(loss, d) for d in sets]
    # A vertex or a quadratic's minimum is found exactly; any other to the floor of rounding.
    np.testing.assert_allclose(together.cost, [s.cost for s in apart], rtol=1e-12)
    np.testing.assert_allclose(together.params.weights, [s.params.weights for s in apart], rtol=1e-7, atol=1e-9)
    assert together.status.code.tolist() == [int(s.status.code) for s in apart]


def test_jit_and_vmap_over_hyperparameter_and_penalty():
    d, deltas, penalties = problem(1), jnp.array([0.3, 1.0, 3.0]), jnp.array([0.0, 0.1, 1.0])
    solve = jax.jit(jax.vmap(lambda delta, l2: lo.solve(lo.bind(losses.huber, delta=delta), d, l2=l2)))
    together = solve(deltas, penalties)
    for i in range(3):
        alone = lo.solve(lo.bind(losses.huber, delta=float(deltas[i])), d, l2=float(penalties[i]))
        np.testing.assert_allclose(together.params.weights[i], alone.params.weights, rtol=1e-10)
        assert int(together.status.code[i]) == lo.Status.CONVERGED


def test_a_sweep_compiles_once():
    traces, counts = [], []

    def own(prediction, target, *, scale=1.0):
        traces.append(1)
        return losses.log_cosh(prediction, target, scale=scale)

    for scale in (0.5, 1.0, 2.0):
        for l2 in (0.0, 0.1):
            lo.solve(lo.bind(own, scale=scale), problem(2), method="newton", l2=l2)
            counts.append(len(traces))
    assert len(set(counts)) == 1


def method_of(loss):
    try:
        return choose_method(loss, None, coefficients=4)
    except ValueError:
        return None


@pytest.mark.parametrize("name", losses.names())
def test_every_hyperparameter_that_is_a_number_may_be_traced(name):
    loss, planned = losses.get(name), []

    def plan(value, hyperparameter):
        bound = lo.bind(loss, **{hyperparameter: value})
        planned.append((method_of(bound), traits(bound).residual))
        return value

    numbers = {key: value for key, value in losses.hyperparameters(loss).items() if isinstance(value, float)}
    for hyperparameter, value in numbers.items():
        jax.eval_shape(functools.partial(plan, hyperparameter=hyperparameter), value)
    # A power that is traced may be 1, and then there is a kink.
    method = "rounding" if name == "power_error" else method_of(loss)
    assert planned == [(method, traits(loss).residual)] * len(numbers)


@pytest.mark.parametrize(
    ("loss", "name", "values"),
    [(losses.epsilon_insensitive, "epsilon", (0.0, 0.5)), (losses.power_error, "p", (1.0, 1.5, 2.0))],
    ids=["epsilon", "p"],
)
def test_where_a_kink_lies_or_whether_there_is_one_may_be_traced(loss, name, values):
    d = problem(3)
    several = jax.jit(jax.vmap(lambda value: lo.solve(lo.bind(loss, **{name: value}), d)))(np.array(values))
    alone = [lo.solve(lo.bind(loss, **{name: value}), d) for value in values]
    np.testing.assert_allclose(several.cost, [found.cost for found in alone], rtol=1e-10)
    assert np.asarray(several.status.good).all()


OWN = {
    "log-cosh": (lambda p, t: jnp.logaddexp(p - t, t - p), models.linear, True),
    "logistic": (lambda p, t: jnp.logaddexp(0.0, p) - t * p, models.logistic, True),
    "softmax": (lambda p, t: jax.nn.logsumexp(p) - p[t], models.softmax(3), True),
    "Cauchy": (lambda p, t: jnp.log1p((p - t) ** 2), models.linear, False),
    "cut off": (lambda p, t: jnp.minimum((p - t) ** 2, 1.0), models.linear, False),
    "zero-one": (lambda p, t: jnp.where((2 * t - 1) * p > 0, 0.0, 1.0), models.logistic, False),
    "rounded": (lambda p, t: (jnp.round(p) - t) ** 2, models.linear, False),
    "probability of another class": (lambda p, t: 1 - jax.nn.softmax(p)[t], models.softmax(3), False),
}


@pytest.mark.parametrize(("name", "jitted"), [*((name, False) for name in OWN), ("logistic", True), ("Cauchy", True)])
def test_only_a_convex_loss_of_ones_own_has_a_certificate(name, jitted):
    loss, model, convex = OWN[name]
    d = problem(3)
    if model is not models.linear:
        labels = np.digitize(d.targets, [np.median(d.targets)]) + (d.targets > np.quantile(d.targets, 0.8))
        d = d._replace(targets=labels if model.classes else (labels > 0).astype(float))
    solve = lambda d: lo.solve(loss, d, model=model, method="newton", l2=0.1)  # noqa: E731
    found = (jax.jit(solve) if jitted else solve)(d)
    assert found.status.name == ("converged" if convex else "local minimum")
    assert np.isfinite(found.gap) == convex


@jax.custom_vjp
def backwards_alone(p, t):
    """Half the squared error, with a derivative that JAX is told backwards and does not know forwards."""
    return (p - t) ** 2 / 2


backwards_alone.defvjp(lambda p, t: (backwards_alone(p, t), p - t), lambda r, g: (g * r, -g * r))


def test_a_loss_may_be_told_its_derivative():
    own = lo.solve(backwards_alone, problem(3), method="newton", l2=0.1)
    np.testing.assert_allclose(flat(own), flat(lo.solve(losses.half_squared_error, problem(3), l2=0.1)), rtol=1e-9)


def test_a_users_own_loss_is_solved_when_the_method_is_named():
    own = lo.solve(lambda p, t: losses.huber(p, t, delta=0.7), problem(3), method="newton")
    np.testing.assert_allclose(flat(own), flat(lo.solve(REGRESSION["huber"], problem(3))), rtol=1e-10)
    assert own.status.name == "converged"
    assert np.isfinite(own.gap)


@each_loss
def test_weight_two_is_a_row_twice(loss):
    d = problem(4, loss)
    # As many rows as before, so that nothing new is compiled.
    counts = np.bincount(np.random.default_rng(4).integers(0, 40, 40), minlength=40)
    weighted = fitted(loss, data.Dataset(d.features, d.targets, counts.astype(float)))
    repeated = fitted(loss, data.Dataset(*(np.repeat(table, counts, axis=0) for table in d[:2])))
    np.testing.assert_allclose(weighted.cost, repeated.cost, rtol=1e-12)
    np.testing.assert_allclose(flat(weighted), flat(repeated), rtol=1e-7)


@pytest.mark.parametrize("name", ["huber", "quantile", "logistic"])
def test_a_row_of_weight_zero_may_hold_anything(name):
    loss = ALL[name]
    d = problem(5, loss)
    weights = np.ones(40)
    weights[7] = 0
    features = np.array(d.features)
    features[7] = np.nan
    masked = jax.jit(lambda x, w: fitted(loss, data.Dataset(x, d.targets, w)))(features, weights)
    without = fitted(loss, data.Dataset(d.features, d.targets, weights))
    np.testing.assert_allclose(flat(masked), flat(without), rtol=1e-9)


@each_loss
def test_the_penalty_is_that_of_fit(loss):
    d = problem(6, loss)
    solution = fitted(loss, d, l2=0.3)
    best = [float(objective_of(model_of(loss))(solution.params, data.validate(d), loss=loss, l2=0.3))]
    np.testing.assert_allclose(solution.cost, best[0], rtol=1e-13)
    if not losses.claims(loss).kinks:
        assert np.max(np.abs(gradient(loss, d, solution, 0.3))) < 1e-10
    assert np.linalg.norm(solution.params.weights) < np.linalg.norm(fitted(loss, d).params.weights)


def test_ridge_is_the_closed_form():
    d, l2, half = problem(7), 0.5, losses.half_squared_error
    x, y = d.features - d.features.mean(0), d.targets - d.targets.mean()
    expected = np.linalg.solve(x.T @ x / 40 + l2 * np.eye(3), x.T @ y / 40)
    np.testing.assert_allclose(lo.solve(half, d, l2=l2).params.weights, expected, rtol=1e-12)


def test_refinement_recovers_what_the_factorisation_lost():
    # The residual is 1e7 times the fit, and the exact coefficients are ones: without refinement 6 digits are right.
    wampler5 = json.loads((FOLDER / "nist.json").read_text())["problems"]["Wampler5"]
    powers = np.array(wampler5["x"], float) ** np.arange(1, 6)
    solution = lo.solve(losses.squared_error, data.Dataset(powers, np.array(wampler5["y"], float)))
    np.testing.assert_allclose(flat(solution), 1.0, rtol=1e-14)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", ["squared_error", "huber"])
def test_dependent_features_give_the_minimum_norm(name, wide):
    d = problem(8)
    features = np.c_[d.features, d.features[:, 0] + 2 * d.features[:, 1], np.full(40, 3.0)]
    if wide:
        features, d = features[:4], d._replace(targets=d.targets[:4])
    # With a threshold that no residual reaches, Huber's minimum is that of least squares.
    loss = lo.bind(losses.huber, delta=1e6) if name == "huber" else REGRESSION[name]
    solution = lo.solve(loss, data.Dataset(features, d.targets))
    expected = np.linalg.pinv(features - features.mean(0)) @ (d.targets - d.targets.mean())
    np.testing.assert_allclose(solution.params.weights, expected, rtol=1e-9, atol=1e-12)
    assert solution.status.name == "minimum norm"


@pytest.mark.parametrize("name", REGRESSION)
@settings(max_examples=15)
@given(seed=SEEDS, scale=SCALES, shift=st.floats(-1e3, 1e3))
def test_units_of_the_features_do_not_matter(name, seed, scale, shift):
    loss, d = REGRESSION[name], problem(seed)
    solution, moved = lo.solve(loss, d), lo.solve(loss, d._replace(features=d.features * scale + shift * scale))
    np.testing.assert_allclose(moved.cost, solution.cost, rtol=1e-9)
    np.testing.assert_allclose(moved.params.weights * scale, solution.params.weights, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", REGRESSION)
@settings(max_examples=15)
@given(seed=SEEDS, scale=SCALES, slope=st.floats(-10, 10))
def test_fits_are_equivariant_to_scale_and_trend_of_the_targets(name, seed, scale, slope):
    fn, d = losses.get(name), problem(seed)
    unit = {"huber": {"delta": 0.7}, "tukey": {"c": 4.685}}.get(name, {})
    loss = lo.bind(fn, **{key: value * scale for key, value in unit.items()}) if unit else REGRESSION[name]
    solution = lo.solve(REGRESSION[name], d)
    moved = lo.solve(loss, d._replace(targets=scale * (d.targets + slope * d.features[:, 0] - 3)))
    np.testing.assert_allclose(
        moved.params.weights / scale - np.array([slope, 0, 0]), solution.params.weights, rtol=1e-6, atol=1e-7
    )
    np.testing.assert_allclose(moved.params.bias / scale + 3, solution.params.bias, rtol=1e-6, atol=1e-6)


def test_huber_joins_least_absolute_deviations_to_least_squares():
    problems = [problem(seed) for seed in range(20)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    sweep = jax.vmap(jax.vmap(lambda delta, d: lo.solve(lo.bind(losses.huber, delta=delta), d), (None, 0)), (0, None))
    fits = sweep(jnp.logspace(-7, 4, 12), stacked)
    assert fits.status.name == "240 converged"
    for i, d in enumerate(problems):
        half = lo.solve(losses.half_squared_error, d)
        np.testing.assert_allclose(fits.params.weights[-1, i], half.params.weights, rtol=1e-10)
        np.testing.assert_allclose(fits.cost[0, i] / 1e-7, lo.solve(losses.absolute_error, d).cost, rtol=1e-6)


def test_a_start_chooses_the_basin():
    targets = np.where(np.arange(40) < 15, 0.0, 50.0) + np.linspace(-1, 1, 40)
    d, at = data.Dataset(np.zeros((40, 3)), targets), lambda b: models.Params(jnp.zeros(3), jnp.asarray(b))
    low, high = (lo.solve(REGRESSION["tukey"], d, init=at(b)).params.bias for b in (0.0, 50.0))
    assert abs(low) < 1 < 49 < high < 51


def test_softmax_of_two_classes_is_logistic_and_symmetric():
    d = problem(9, losses.logistic)
    two = lo.solve(losses.softmax_cross_entropy, d, model=models.softmax(2))
    one = lo.solve(losses.logistic, d, model=models.logistic)
    np.testing.assert_allclose(two.params.weights[:, 1] - two.params.weights[:, 0], one.params.weights, rtol=1e-9)
    np.testing.assert_allclose(two.params.weights.sum(1), 0, atol=1e-12)
    assert two.status.name == "converged"


def test_a_soft_label_is_a_weighted_pair():
    d, share = problem(10, losses.logistic), np.random.default_rng(10).uniform(0.1, 0.9, 40)
    soft = lo.solve(losses.logistic, d._replace(targets=share), model=models.logistic)
    labels, weights = np.r_[np.ones(40), np.zeros(40)], np.r_[share, 1 - share]
    pair = lo.solve(
        losses.logistic, data.Dataset(np.r_[d.features, d.features], labels, weights), model=models.logistic
    )
    np.testing.assert_allclose(flat(soft), flat(pair), rtol=1e-9)


def test_a_binomial_table_is_that_of_r():
    table = json.loads((FOLDER / "menarche.json").read_text())
    total = np.array(table["total"], float)
    d = data.Dataset(np.array(table["age"])[:, None], np.array(table["menarche"]) / total, total)
    params = lo.solve(losses.logistic, d, model=models.logistic).params
    np.testing.assert_allclose([params.bias, params.weights[0]], table["coefficients"], rtol=1e-8)


@each_loss
def test_single_precision_works_to_its_own(loss):
    d = problem(11, loss)
    single = jax.tree.map(lambda leaf: leaf.astype("float32") if leaf.dtype == float else leaf, d)
    solution, exact = fitted(loss, single), fitted(loss, d)
    assert {leaf.dtype for leaf in jax.tree.leaves((solution.params, solution.cost, solution.gap))} == {np.dtype("f4")}
    np.testing.assert_allclose(solution.cost, exact.cost, rtol=1e-5)
    assert solution.status.good


HOSTILE = {
    "huge features": lambda x, y: (1e300 * x, y),
    "tiny features": lambda x, y: (1e-300 * x, y),
    "constant features": lambda x, y: (np.ones_like(x), y),
    "one row": lambda x, y: (x[:1], y[:1]),
    "equal rows": lambda x, y: (np.repeat(x[:1], 40, 0), y),
    "one target": lambda x, y: (x, np.full_like(y, y[0])),
}


@each_loss
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_gets_an_answer_or_a_status(loss, name):
    solution = fitted(loss, data.Dataset(*HOSTILE[name](*problem(12, loss)[:2])))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((solution.params, solution.cost)))
    assert solution.status.good or solution.status.name == "no finite minimiser"
    assert solution.gap >= 0


def test_an_overflow_is_no_answer():
    solution = lo.solve(losses.squared_error, problem(13)._replace(targets=1e300 * problem(13).targets))
    assert solution.status.name == "diverged"
    assert np.isfinite(flat(solution)).all()


def test_out_of_steps_is_said_and_thrown():
    assert lo.solve(REGRESSION["huber"], problem(14), max_iterations=1).status.name == "out of steps"
    with pytest.raises(RuntimeError, match="out of steps"):
        lo.solve(REGRESSION["huber"], problem(14), max_iterations=1, throw=True)


BAD = {
    "no card": (lambda: lo.solve(lambda p, t: (p - t) ** 2, problem(0)), "method='newton'"),
    "kinked": (lambda: lo.solve(losses.absolute_error, problem(0), method="newton"), "use interior_point"),
    "unknown method": (lambda: lo.solve(losses.huber, problem(0), method="newtn"), "Did you mean 'newton'"),
    "negative penalty": (lambda: lo.solve(losses.huber, problem(0), l2=-1.0), "at least 0"),
    "no tolerance": (lambda: lo.solve(losses.huber, problem(0), tolerance=0.0), "between 0 and 1"),
    "no iterations": (lambda: lo.solve(losses.huber, problem(0), max_iterations=0), "at least 1"),
    "start of another shape": (
        lambda: lo.solve(losses.huber, problem(0), init=models.linear.init(5)),
        r"\(5,\).*\(3,\)",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_answered_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


MANY = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
from lossopt import data, losses, solve
from lossopt.status import Status
rng = np.random.default_rng(0)
x, y = rng.normal(size=(500, 200, 6)), rng.integers(0, 2, (500, 200)).astype(float)
run = jax.jit(jax.vmap(lambda x, y: solve(losses.logistic, data.Dataset(x, y)).status.code))
print(sum(int((run(x, y) == Status.CONVERGED).sum()) for _ in range(4)))
"""


def test_a_batch_of_many_data_sets_returns():
    # As users have it, without the tests' compiler flags: factorisations side by side would wait for each other.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", MANY], env=environment, timeout=120, capture_output=True, text=True)
    assert done.stdout.strip() == "2000", done.stderr


@pytest.mark.parametrize(("a", "far"), [(1.0, -477.0), (-1.0, 5000.0)])
def test_an_exponential_is_left_in_few_steps_however_far_out_an_example_is(a, far):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3))
    targets = np.r_[far, features[1:].sum(axis=1) + rng.standard_t(2, size=199)]
    loss = lo.bind(losses.linex, a=a)
    found = lo.solve(loss, data.Dataset(features, targets))
    assert found.status.name == "converged"
    residuals = features @ found.params.weights + found.params.bias - targets
    np.testing.assert_allclose(np.mean(np.exp(a * residuals)), 1.0, rtol=1e-9)
