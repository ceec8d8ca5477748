"""Derivatives of a minimum in what it is the minimum of: beside differences, in both modes, of any order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from lossopt import data, losses, models


ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal([0.0, 30.0, 1.0], [1.0, 2.0, 0.1], (ROWS, 3))
Y = X @ [1.0, -0.2, 3.0] + RNG.standard_t(3, ROWS)
MIDDLE = np.median(Y)
WEIGHTS = np.where(np.arange(ROWS) % 7 == 0, 0.0, RNG.uniform(0.5, 2.0, ROWS))
TARGETS = {
    "linear": Y,
    "logistic": (Y > MIDDLE).astype(int),
    "softmax": (Y > MIDDLE).astype(int) + (Y > MIDDLE + 2),
}
LOSSES = [
    (losses.squared_error, models.linear),
    (losses.log_cosh, models.linear),
    (losses.tukey, models.linear),
    (losses.pseudo_huber, models.without_intercept(models.linear)),
    (losses.logistic, models.logistic),
    (losses.softmax_cross_entropy, models.softmax(3)),
]


def minimum(loss, model, what, value):
    """The solution where one of what it depends on is moved by a number, or is that number."""
    x, y, weights, penalties = X, TARGETS[model.name], WEIGHTS, {"l1": 0.0, "l2": 0.3}
    if what in penalties:
        penalties[what] = value
    elif what == "features":
        x = x + value * jnp.sin(X)
    elif what == "targets":
        y = y + value * jnp.cos(Y)
    elif what == "weights":
        weights = weights * (1 + value * np.cos(Y))
    else:
        loss = lo.bind(loss, **{what: value})
    return lo.solve(loss, data.Dataset(x, y, weights), model=model, **penalties)


def flat(solution):
    leaves = jax.tree.leaves(solution.params)
    return jnp.concatenate([leaf.ravel() for leaf in leaves] + [solution.cost[None]])


CASES = [(*pair, "l2", 0.3) for pair in LOSSES]
CASES += [(*pair, what, 0.0) for pair in (LOSSES[1], LOSSES[5]) for what in ("weights", "features")]
CASES += [(*pair, "targets", 0.0) for pair in (LOSSES[0], LOSSES[3])]
CASES += [(losses.pseudo_huber, models.linear, "delta", 1.3), (losses.tukey, models.linear, "c", 4.0)]
CASES += [(loss, model, "l1", 0.05) for loss, model in (LOSSES[0], LOSSES[4], LOSSES[5])]


@pytest.mark.parametrize(("loss", "model", "what", "at"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_minimum_moves_as_differences_say(loss, model, what, at):
    moved = functools.partial(minimum, loss, model, what)
    step = 1e-4
    expected = (flat(moved(at + step)) - flat(moved(at - step))) / (2 * step)
    value, forward = jax.jvp(lambda at: flat(moved(at)), (at,), (1.0,))
    np.testing.assert_array_equal(value, flat(moved(at)))
    np.testing.assert_allclose(forward, expected, rtol=1e-5, atol=1e-6 * float(jnp.max(jnp.abs(expected))))
    backward = jax.jacrev(lambda at: flat(moved(at)))(at)
    np.testing.assert_allclose(backward, forward, rtol=1e-10, atol=1e-12 * float(jnp.max(jnp.abs(forward))))


def nearly_dependent():
    one = RNG.normal(size=(ROWS, 1))
    return np.concatenate([one, one + 1e-7 * RNG.normal(size=(ROWS, 1))], axis=1)


@pytest.mark.parametrize(
    ("x", "rtol"), [(X, 1e-8), (nearly_dependent(), 1e-6), (X[:3] @ RNG.normal(size=(3, 5)), 1e-8), (X * 3.0**20, 1e-8)]
)
def test_least_squares_move_with_their_targets_as_the_pseudo_inverse_says(x, rtol):
    of_weights = lambda y: lo.solve(losses.squared_error, data.Dataset(x, y)).params.weights  # noqa: E731
    expected = np.linalg.pinv(x - x.mean(axis=0), rcond=1e-12)
    for derivative in (jax.jacrev, jax.jacfwd):
        found = derivative(of_weights)(jnp.asarray(Y[: len(x)]))
        np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.max(np.abs(expected)))


def test_what_is_not_determined_has_no_derivative_in_the_features():
    wide = jnp.asarray(X[:3] @ RNG.normal(size=(3, 5)))
    of_weights = lambda x: jnp.sum(lo.solve(losses.squared_error, data.Dataset(x, Y[:3])).params.weights)  # noqa: E731
    assert jnp.all(jnp.isnan(jax.grad(of_weights)(wide)))


def test_a_weight_of_0_moves_the_minimum_as_its_row_would():
    row = int(np.flatnonzero(WEIGHTS == 0)[0])
    weighted = lambda w: lo.solve(losses.log_cosh, data.Dataset(X, Y, jnp.asarray(WEIGHTS).at[row].set(w)))  # noqa: E731
    expected = (flat(weighted(1e-6)) - flat(weighted(0.0))) / 1e-6
    np.testing.assert_allclose(jax.jacrev(lambda w: flat(weighted(w)))(0.0), expected, rtol=1e-4)


def test_a_start_that_moves_moves_no_minimum():
    def cost(l2):
        near = lo.solve(losses.huber, data.Dataset(X, Y), l2=l2).params
        return lo.solve(losses.tukey, data.Dataset(X, Y), l2=l2, init=near).cost

    expected = (cost(0.3 + 1e-4) - cost(0.3 - 1e-4)) / 2e-4
    np.testing.assert_allclose(jax.grad(cost)(0.3), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.grad(cost))(0.3), expected, rtol=1e-6)


def test_the_second_derivative_is_that_of_the_first():
    cost = lambda l2: jnp.sum(minimum(losses.logistic, models.logistic, "l2", l2).params.weights ** 2)  # noqa: E731
    first, step = jax.grad(cost), 1e-4
    expected = (first(0.3 + step) - first(0.3 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(first)(0.3), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.hessian(cost)(0.3), expected, rtol=1e-6)


def test_derivatives_are_those_inside_jit_and_vmap():
    of_l2 = lambda l2: minimum(losses.log_cosh, models.linear, "l2", l2).params.weights[0]  # noqa: E731
    at = jnp.array([0.1, 0.3, 1.0])
    expected = [jax.grad(of_l2)(each) for each in at]
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.grad(of_l2)))(at), expected, rtol=1e-8)
    np.testing.assert_allclose(jax.grad(lambda at: jnp.sum(jax.jit(jax.vmap(of_l2))(at)))(at), expected, rtol=1e-8)


def test_the_best_penalty_is_found_by_its_gradient():
    x, y = jnp.asarray(X), jnp.asarray(Y)
    seen, held_out = data.Dataset(x[:20], y[:20]), data.Dataset(x[20:], y[20:])

    def error(log_l2):
        found = lo.solve(losses.huber, seen, l2=jnp.exp(log_l2)).params
        return lo.mse(held_out.features @ found.weights + found.bias, held_out.targets)

    grid = jnp.linspace(-6.0, 3.0, 91)
    best = grid[jnp.argmin(jnp.stack([error(each) for each in grid]))]
    slopes = jax.grad(error)(best - 0.1), jax.grad(error)(best + 0.1)
    assert slopes[0] < 0 < slopes[1]


def test_a_table_in_blocks_moves_as_differences_say(monkeypatch):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60_000, 40))
    y = (x[:, 0] + rng.logistic(size=60_000) > 0).astype(int)
    table = data.Dataset(jnp.asarray(x), jnp.asarray(y))
    of_l2 = lambda l2: lo.solve(losses.logistic, table, model=models.logistic, l2=l2).params.weights[0]  # noqa: E731
    expected = (of_l2(0.3 + 1e-4) - of_l2(0.3 - 1e-4)) / 2e-4
    np.testing.assert_allclose(jax.grad(of_l2)(0.3), expected, rtol=1e-6)


def test_what_a_loss_holds_is_to_be_bound():
    def cost(width):
        own = lambda prediction, target: losses.log_cosh(prediction, target, scale=width)  # noqa: E731
        return lo.solve(own, data.Dataset(X, Y), method="newton").cost

    for transformed in (jax.grad(cost), jax.jit(cost)):
        with pytest.raises(ValueError, match=r"holds a number that is traced.*: make it a keyword-only argument"):
            transformed(1.3)


def test_there_is_no_derivative_over_a_stored_table():
    stored = data.Dataset(data.Stored(X), jnp.asarray(Y))
    with pytest.raises(ValueError, match="features that are stored has no derivative: read them first"):
        jax.grad(lambda l2: lo.solve(losses.huber, stored, l2=l2).cost)(0.1)


def test_there_is_no_derivative_at_a_kink():
    with pytest.raises(ValueError, match="absolute_error has no derivative here, for the loss has kinks"):
        jax.grad(lambda l2: lo.solve(losses.absolute_error, data.Dataset(X, Y), l2=l2).cost)(0.1)


def test_where_there_is_no_minimum_its_derivative_is_no_number():
    apart = data.Dataset(X, (X[:, 0] > 0).astype(int))
    of_weights = lambda x: lo.solve(losses.logistic, apart._replace(features=x), model=models.logistic)  # noqa: E731
    slope = jax.grad(lambda x: jnp.sum(of_weights(x).params.weights))(jnp.asarray(X))
    assert jnp.all(jnp.isnan(slope))
