"""The training loop: right updates, honest traces, few compilations, and outcomes as values."""

import dataclasses
import functools
import importlib

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax._src import test_util as jtu

import lossopt as lo
from lossopt import data, losses, models


SGD = optax.sgd(0.1)
ADAM = optax.adam(0.1)
LBFGS = optax.lbfgs()
HUGE = optax.sgd(1e3)


@pytest.fixture(scope="module")
def table():
    features = jax.random.normal(jax.random.key(1), (40, 3))
    noise = 0.1 * jax.random.normal(jax.random.key(2), (40,))
    return data.Dataset(features, features @ jnp.array([1.0, -2.0, 0.5]) + 1.0 + noise)


@pytest.fixture(scope="module")
def labelled(table):
    flipped = jax.random.bernoulli(jax.random.key(3), 0.2, (40,))
    return data.Dataset(table.features, ((table.targets > 0) ^ flipped).astype(int))


def by_hand(loss, table, learning_rate, num_steps, l2=0.0):
    """Gradient descent in NumPy, with the slope of the loss given."""
    x, y = np.c_[np.asarray(table.features), np.ones(len(table.targets))], np.asarray(table.targets)
    w, penalty = np.zeros(x.shape[1]), np.r_[np.ones(x.shape[1] - 1), 0]
    for _ in range(num_steps):
        w = w - learning_rate * (x.T @ loss(x @ w - y) / len(y) + l2 * penalty * w)
    return w


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize(
    ("loss", "slope"), [(losses.squared_error, lambda r: 2 * r), (losses.huber, lambda r: np.clip(r, -1, 1))]
)
def test_gradient_descent_is_gradient_descent(table, loss, slope, l2):
    fitted = lo.fit(loss, table, optimizer=SGD, num_steps=25, l2=l2)
    expected = by_hand(slope, table, 0.1, 25, l2)
    np.testing.assert_allclose(jnp.append(fitted.params.weights, fitted.params.bias), expected, rtol=1e-12)


def test_row_t_of_the_trace_describes_the_parameters_after_t_steps(table):
    fitted = lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=7, keep_params=True)
    assert all(leaf.shape[0] == 8 for leaf in jax.tree.leaves(fitted.trace))
    for t in (0, 3, 7):
        params = jax.tree.map(lambda leaf: leaf[t], fitted.trace.params)  # noqa: B023
        predictions = jax.vmap(models.linear.predict, (None, 0))(params, table.features)
        np.testing.assert_allclose(fitted.trace.cost[t], lo.mse(predictions, table.targets), rtol=1e-13)
        shorter = lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=t).params
        np.testing.assert_allclose(params.weights, shorter.weights, rtol=1e-13)
    steps = jnp.diff(jnp.c_[fitted.trace.params.weights, fitted.trace.params.bias], axis=0)
    np.testing.assert_allclose(fitted.trace.step_size[1:], jnp.linalg.norm(steps, axis=1), rtol=1e-9)
    np.testing.assert_allclose(fitted.trace.step_size[1:], 0.1 * fitted.trace.grad_norm[:-1], rtol=1e-12)
    assert fitted.trace.step_size[0] == 0
    np.testing.assert_array_equal(fitted.trace.evaluations, jnp.arange(1, 9))


def test_no_steps_returns_the_start(table):
    start = models.Params(jnp.array([1.0, 2.0, 3.0]), jnp.array(4.0))
    fitted = lo.fit(losses.huber, table, optimizer=SGD, num_steps=0, init=start)
    np.testing.assert_array_equal(fitted.params.weights, start.weights)
    assert fitted.trace.cost.shape == (1,)


@pytest.mark.parametrize("num_steps", [0, 5])
def test_a_restart_at_a_perfect_fit_is_converged(table, num_steps):
    weights = np.array([1.0, 2.0, 3.0]) / 7
    exact = table._replace(targets=table.features @ weights + 1 / 3)
    rounded = models.Params(jnp.asarray(weights * (1 + 1e-16)), jnp.asarray(1 / 3 + 1e-16))
    fitted = lo.fit(losses.squared_error, exact, optimizer=SGD, num_steps=num_steps, init=rounded)
    assert fitted.trace.grad_norm[-1] > 0
    assert fitted.status.code == lo.Status.CONVERGED


def test_line_search_reaches_least_squares_and_counts_its_work(table):
    fitted = lo.fit(losses.squared_error, table, optimizer=LBFGS, num_steps=15)
    x = np.c_[np.asarray(table.features), np.ones(40)]
    expected = np.linalg.lstsq(x, np.asarray(table.targets), rcond=None)[0]
    np.testing.assert_allclose(jnp.append(fitted.params.weights, fitted.params.bias), expected, rtol=1e-8)
    assert fitted.trace.evaluations[-1] > 16


@pytest.mark.parametrize("model", [models.logistic, models.softmax(2)], ids=lambda m: m.name)
def test_classifiers_reach_a_stationary_point(labelled, model):
    loss = losses.logistic if model.classes is None else losses.softmax_cross_entropy
    fitted = lo.fit(loss, labelled, model=model, optimizer=LBFGS, num_steps=30)
    assert fitted.status.code == lo.Status.CONVERGED
    assert fitted.trace.grad_norm[-1] < 1e-6


def test_two_class_softmax_is_logistic(labelled):
    two = lo.fit(losses.softmax_cross_entropy, labelled, model=models.softmax(2), optimizer=LBFGS, num_steps=40)
    one = lo.fit(losses.logistic, labelled, model=models.logistic, optimizer=LBFGS, num_steps=40)
    np.testing.assert_allclose(two.params.weights[:, 1] - two.params.weights[:, 0], one.params.weights, rtol=1e-4)


@pytest.fixture(scope="module")
def long_table():
    features = jnp.asarray(np.random.default_rng(4).normal([0.0, 5.0, 1.0], [1.0, 3.0, 0.1], (997, 3)))
    noise = jax.random.normal(jax.random.key(5), (997,))
    return data.Dataset(features, features @ jnp.array([1.0, -2.0, 0.5]) + 1.0 + noise)


@pytest.mark.parametrize(
    ("loss", "reduction", "weighted", "model", "optimizer"),
    [
        (losses.squared_error, lo.mean, False, models.linear, ADAM),
        (losses.half_squared_error, lo.total, True, models.linear, optax.sgd(1e-4)),
        (losses.squared_error, lo.root_mean, True, models.without_intercept(models.linear), ADAM),
        (losses.scaled(losses.squared_error, factor=3.0), lo.mean, True, models.linear, optax.sgd(1e-3, momentum=0.9)),
    ],
)
def test_the_triangle_of_a_long_table_has_its_cost_and_gradient(
    long_table, loss, reduction, weighted, model, optimizer
):
    weights = jnp.asarray(np.random.default_rng(0).integers(0, 3, 997), float) if weighted else None
    table = long_table._replace(weights=weights)

    def plain(params, table):
        predictions = jax.vmap(model.predict, (None, 0))(params, table.features)
        return lo.cost(loss, reduction)(predictions, table.targets, weights=table.weights)

    options = {"optimizer": optimizer, "num_steps": 100, "keep_params": True}
    fitted = lo.fit(loss, table, model=model, reduction=reduction, **options)
    expected = lo.minimise(plain, model.init(3), table, **options)
    jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12), fitted, expected)


@pytest.mark.parametrize(("loss", "triangle"), [(losses.squared_error, True), (losses.huber, False)])
def test_no_step_under_a_quadratic_loss_goes_through_the_rows(long_table, loss, triangle):
    programme = jax.make_jaxpr(lambda l2: lo.fit(loss, long_table, optimizer=ADAM, num_steps=100, l2=l2))(0.0)
    (steps,) = [each for each in equations(programme.jaxpr) if each.params.get("length") == 101]
    assert any(997 in each.aval.shape for each in steps.invars) is not triangle


def equations(jaxpr):
    """All equations of a programme, those of its parts included."""
    for equation in jaxpr.eqns:
        yield equation
        for part in jax.extend.core.jaxprs_in_params(equation.params):
            yield from equations(part)


def test_a_perfect_fit_of_a_long_table_is_as_exact(long_table):
    exact = long_table._replace(targets=long_table.features @ jnp.array([1.0, -2.0, 0.5]) + 1.0)
    fitted = lo.fit(losses.squared_error, exact, optimizer=LBFGS, num_steps=100)
    assert fitted.trace.cost[-1] < 1e-28
    np.testing.assert_allclose(fitted.params.weights, [1.0, -2.0, 0.5], rtol=1e-12)


@pytest.mark.parametrize("reduction", [lo.mean, lo.root_mean, lo.total])
def test_a_start_at_a_perfect_fit_of_a_long_table_is_not_left(reduction):
    features = np.random.default_rng(0).integers(-5, 6, (400, 3)).astype(float)
    exact = data.Dataset(features, features @ [1.0, 2.0, -1.0] + 3)
    start = models.Params(jnp.array([1.0, 2.0, -1.0]), jnp.array(3.0))
    fitted = lo.fit(losses.squared_error, exact, num_steps=100, init=start, reduction=reduction)
    assert str(fitted.status) == "converged"
    assert float(jnp.max(fitted.trace.cost)) == 0
    jax.tree.map(np.testing.assert_array_equal, fitted.params, start)


@pytest.mark.parametrize("size", [1e-307, 1e307, 1.7e308])
@pytest.mark.parametrize("loss", [losses.squared_error, losses.huber])
def test_weights_of_any_size_are_weights(long_table, loss, size):
    weights = jnp.linspace(0.3, 1.0, 997)
    one, other = (lo.fit(loss, long_table._replace(weights=unit * weights), num_steps=100) for unit in (1.0, size))
    np.testing.assert_allclose(other.params.weights, one.params.weights, rtol=1e-9)
    solved = lo.solve(loss, long_table._replace(weights=size * weights))
    np.testing.assert_allclose(solved.cost, lo.solve(loss, long_table._replace(weights=weights)).cost, rtol=1e-12)


def test_what_is_quadratic_is_what_a_card_says_at_its_hyperparameters(long_table):
    scaled, bound = losses.scaled(losses.squared_error, factor=3.0), lo.bind(losses.huber, delta=jnp.inf)
    for loss in (losses.half_squared_error, scaled, bound, lo.bind(losses.expectile, level=0.5)):
        assert losses.quadratic(loss)
        own = lambda prediction, target, loss=loss: loss(prediction, target)  # noqa: E731
        ours, plain = (lo.fit(each, long_table, num_steps=100).params for each in (loss, own))
        np.testing.assert_allclose(ours.weights, plain.weights, rtol=1e-9)
    for loss in (losses.huber, losses.expectile, losses.asymmetric(losses.squared_error, level=0.7), losses.brier):
        assert losses.quadratic(loss) == (loss is losses.expectile)


def test_a_parabola_that_is_lowest_elsewhere_is_no_square_of_the_residual(long_table, monkeypatch):
    ahead = lambda prediction, target: (prediction - target - 1) ** 2  # noqa: E731
    card = losses.claims(losses.squared_error)
    claimed = dataclasses.replace(card, symmetric=False, zero_at_perfect_fit=False, origin=None, name="ahead")
    monkeypatch.setitem(importlib.import_module("lossopt.losses._register")._CARDS, ahead, claimed)
    expected = lo.solve(losses.squared_error, long_table._replace(targets=long_table.targets + 1))
    solved, fitted = lo.solve(ahead, long_table), lo.fit(ahead, long_table, optimizer=LBFGS, num_steps=100)
    for found in (solved, fitted):
        np.testing.assert_allclose(found.params.weights, expected.params.weights, rtol=1e-8)
        np.testing.assert_allclose(found.params.bias, expected.params.bias, rtol=1e-8)


def test_weights_in_the_data_are_weights_in_the_cost(table):
    weights = (jnp.arange(40) % 3).astype(float)
    twice = jnp.repeat(jnp.arange(40), weights.astype(int))
    weighted = lo.fit(losses.huber, table._replace(weights=weights), optimizer=SGD, num_steps=20)
    repeated = data.Dataset(table.features[twice], table.targets[twice])
    expected = lo.fit(losses.huber, repeated, optimizer=SGD, num_steps=20)
    np.testing.assert_allclose(weighted.params.weights, expected.params.weights, rtol=1e-12)


class TestMiniBatches:
    def visited(self, rows, batch_size, num_steps, key):
        """Which row each step saw: the objective's gradient is the sum of the rows' indices as one-hot vectors."""
        rows_seen = lambda p, d: jnp.sum(p * jnp.sum(d, axis=0))  # noqa: E731
        fitted = lo.minimise(
            rows_seen, jnp.zeros(rows), jnp.eye(rows),
            optimizer=optax.sgd(1.0), num_steps=num_steps, batch_size=batch_size, key=key, keep_params=True,
        )  # fmt: skip
        return np.round(-np.diff(np.asarray(fitted.trace.params), axis=0)).astype(int)

    def test_every_row_once_an_epoch_in_a_new_order(self, key):
        seen = self.visited(12, 4, 9, key)
        epochs = seen.reshape(3, 3, 12)
        np.testing.assert_array_equal(epochs.sum(axis=1), np.ones((3, 12)))
        assert not np.array_equal(epochs[0], epochs[1])

    def test_a_last_smaller_batch_is_left_out(self, key):
        seen = self.visited(10, 4, 4, key)
        np.testing.assert_array_equal(seen.sum(axis=1), [4, 4, 4, 4])
        assert seen[:2].sum(axis=0).max() == 1

    def test_the_key_decides_the_order(self, key):
        other = jax.random.key(1)
        assert np.array_equal(self.visited(12, 4, 3, key), self.visited(12, 4, 3, key))
        assert not np.array_equal(self.visited(12, 4, 3, key), self.visited(12, 4, 3, other))

    def test_one_batch_of_all_rows_is_full_batch(self, table, key):
        batched = lo.fit(losses.huber, table, optimizer=SGD, num_steps=10, batch_size=40, key=key)
        full = lo.fit(losses.huber, table, optimizer=SGD, num_steps=10)
        np.testing.assert_allclose(batched.params.weights, full.params.weights, rtol=1e-12)


def test_minimise_takes_any_pytree_and_objective():
    rosenbrock = lambda p: (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2  # noqa: E731
    start = {"x": jnp.array(-1.2), "y": jnp.array(1.0)}
    fitted = lo.minimise(rosenbrock, start, optimizer=LBFGS, num_steps=60)
    assert fitted.status.code == lo.Status.CONVERGED
    np.testing.assert_allclose([fitted.params["x"], fitted.params["y"]], [1, 1], rtol=1e-5)


class TestOutcome:
    def test_divergence_is_never_convergence(self, table):
        fitted = lo.fit(losses.squared_error, table, optimizer=HUGE, num_steps=400)
        assert fitted.status.code == lo.Status.DIVERGED
        assert "step size" in fitted.status.advice
        assert not fitted.status.good

    def test_growth_without_overflow_is_divergence(self, table):
        fitted = lo.fit(losses.squared_error, table, optimizer=HUGE, num_steps=3)
        assert fitted.status.code == lo.Status.DIVERGED

    def test_too_few_steps(self, table):
        assert lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=2).status.name == "out of steps"

    def test_enough_steps(self, table):
        assert lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=300).status.name == "converged"

    def test_a_start_at_the_minimum_is_converged(self, table):
        best = lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=1000).params
        again = lo.fit(losses.squared_error, table, init=best, optimizer=SGD, num_steps=20)
        assert again.status.name == "converged"
        assert again.trace.grad_norm[0] > 0

    @pytest.mark.parametrize("num_steps", [0, 20])
    def test_a_step_size_too_small_to_move_is_not_convergence(self, table, num_steps):
        start = models.Params(jnp.ones(3), jnp.ones(()))
        stuck = lo.fit(losses.squared_error, table, init=start, optimizer=optax.sgd(1e-17), num_steps=num_steps)
        assert stuck.status.name == "out of steps"

    def test_throw(self, table):
        with pytest.raises(RuntimeError, match=r"diverged: .*step size"):
            lo.fit(losses.squared_error, table, optimizer=HUGE, num_steps=400, throw=True)

    def test_status_of_many(self, table):
        rates = jnp.array([0.1, 0.1, 1e3])
        run = lambda rate: lo.fit(losses.squared_error, table, optimizer=SGD, num_steps=300, l2=rate)  # noqa: E731
        status = jax.vmap(run)(rates).status
        assert status.name == "2 converged, 1 diverged"


class TestCompilation:
    def counted(self, loss):
        """The loss, and a list that grows by one each time it is traced."""
        traces = []

        @functools.wraps(loss)
        def traced(prediction, target, **hyper):
            traces.append(1)
            return loss(prediction, target, **hyper)

        return traced, traces

    def test_a_sweep_over_delta_compiles_once(self, table):
        with jtu.count_jit_compilation_cache_miss() as misses:
            lo.fit(lo.bind(losses.huber, delta=0.5), table, optimizer=ADAM, num_steps=5)
            first = misses()
            for delta in (0.6, 0.7, 2.0):
                lo.fit(lo.bind(losses.huber, delta=delta), table, optimizer=ADAM, num_steps=5)
        assert misses() == first

    def test_the_loss_is_traced_once(self, table):
        loss, traces = self.counted(losses.huber)
        for delta in (0.5, 1.0):
            lo.fit(jax.tree_util.Partial(loss, delta=delta), table, optimizer=ADAM, num_steps=5)
        assert len(traces) == 1

    @pytest.mark.parametrize("what", ["delta", "l2", "data", "init", "key"])
    def test_vmap_equals_a_loop(self, table, what, key):
        def run(value):
            loss = lo.bind(losses.huber, delta=value) if what == "delta" else losses.huber
            options = {"l2": value} if what == "l2" else {}
            d = table._replace(targets=table.targets * value) if what == "data" else table
            if what == "init":
                options["init"] = models.Params(jnp.full(3, value), jnp.zeros(()))
            if what == "key":
                options |= {"batch_size": 8, "key": jax.random.fold_in(key, value.astype(int))}
            return lo.fit(loss, d, optimizer=SGD, num_steps=6, **options)

        values = jnp.array([0.5, 1.0, 2.0])
        many = jax.vmap(run)(values)
        for i, value in enumerate(values):
            one = run(value)
            np.testing.assert_allclose(many.params.weights[i], one.params.weights, rtol=1e-11)
            np.testing.assert_allclose(many.trace.cost[i], one.trace.cost, rtol=1e-11)

    def test_inside_jit(self, table):
        run = jax.jit(lambda d: lo.fit(losses.huber, d, optimizer=SGD, num_steps=6).params.weights)
        np.testing.assert_allclose(
            run(table), lo.fit(losses.huber, table, optimizer=SGD, num_steps=6).params.weights, rtol=1e-12
        )


def test_float32_data_give_a_float32_fit(table):
    small = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), table)
    for loss in (losses.huber, lo.bind(losses.huber, delta=jnp.float64(1.0))):
        fitted = lo.fit(loss, small, optimizer=SGD, num_steps=3)
        assert {leaf.dtype for leaf in jax.tree.leaves(fitted.params)} == {jnp.dtype("float32")}
