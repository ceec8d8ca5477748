"""What is made of losses is solved as they are: multiples, sums, clipped, smoothed and for labels that may be wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear

import lossopt as lo
from lossopt import data, losses, models


def table(n, d, seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d))
    return data.Dataset(features, 1 + features @ rng.normal(size=d) + rng.laplace(size=n))


def classes(k):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3))
    return data.Dataset(features, np.argmax(features @ rng.normal(size=(3, k)) + 2 * rng.gumbel(size=(200, k)), axis=1))


def test_factors_and_sums_of_piecewise_linear_losses_stay_so():
    given = table(150, 3, 1)
    cost = lambda loss, d=given, **options: float(lo.solve(loss, d, **options).cost)  # noqa: E731
    absolute, quantile = losses.absolute_error, lo.bind(losses.quantile, level=0.9)
    for loss, other, factor in (
        (losses.scaled(losses.asymmetric(absolute, 0.9), 4.0), quantile, 4),
        # |r| and the loss of level 0.9 are, together, three times that of level 1.9/3.
        (losses.mixture({absolute: 1.0, quantile: 1.0}), lo.bind(losses.quantile, level=1.9 / 3), 3),
    ):
        found = lo.solve(loss, given)
        assert found.status.name == "converged"
        assert found.gap <= 1e-9 * found.cost
        np.testing.assert_allclose(found.cost, factor * cost(other), rtol=1e-9)
    np.testing.assert_allclose(cost(losses.scaled(absolute, 2.0), l1=0.1), 2 * cost(absolute, l1=0.05), rtol=1e-9)


def tube(width):
    return lo.bind(losses.epsilon_insensitive, epsilon=width)


def labels(given):
    rng = np.random.default_rng(3)
    return given._replace(targets=(given.targets + rng.logistic(size=len(given.targets)) > 1).astype(float))


def by_simplex(given, parts, binary):
    """The least mean of a sum of slope max(0, way (u - kink)), with u the residual or margin, by linear programming."""
    n, table, y = len(given.targets), np.c_[np.ones(len(given.targets)), given.features], np.asarray(given.targets)
    sign, origin = (2 * y - 1, 0 * y) if binary else (np.ones(n), y)
    rows, right = [], []
    for i, (_, way, kink) in enumerate(parts):
        bounds = np.zeros((n, len(parts) * n))
        bounds[:, i * n : (i + 1) * n] = -np.eye(n)
        rows.append(np.c_[way * sign[:, None] * table, bounds])
        right.append(way * (origin + kink))
    prices = np.r_[np.zeros(table.shape[1]), np.repeat([slope / n for slope, *_ in parts], n)]
    free = [(None, None)] * table.shape[1] + [(0, None)] * (len(parts) * n)
    return linprog(prices, np.concatenate(rows), np.concatenate(right), bounds=free, method="highs").fun


SUMS = [
    (losses.mixture({tube(0.5): 2.0, losses.absolute_error: 1.0}), [(2, 1, 0.5), (2, -1, -0.5), (1, 1, 0), (1, -1, 0)]),
    (losses.scaled(losses.asymmetric(tube(0.5), 0.8), 5.0), [(1, 1, 0.5), (4, -1, -0.5)]),
    (losses.mixture({losses.scaled(losses.hinge, 2.0): 0.5, losses.perceptron: 3.0}), [(1, -1, 1), (3, -1, 0)]),
    (losses.label_smoothed(losses.hinge, 0.2), [(0.9, -1, 1), (0.1, 1, -1)]),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "parts"), SUMS)
def test_piecewise_linear_losses_with_several_kinks_are_linear_programmes(loss, parts):
    given, binary = table(120, 3, 8), losses.claims(loss).task == "binary"
    given = labels(given) if binary else given
    found = lo.solve(loss, given)
    assert found.status.name == "converged"
    assert 0 <= found.gap <= 1e-9 * found.cost
    np.testing.assert_allclose(found.cost, by_simplex(given, parts, binary), rtol=1e-9)


BENT = [
    (losses.mixture({tube(0.5): 2.0, losses.squared_error: 1.0}), (-0.5, 0.5)),
    (losses.mixture({tube(0.5): 1.0, losses.absolute_error: 0.4, losses.log_cosh: 1.0}), (-0.5, 0.0, 0.5)),
    (losses.mixture({losses.hinge: 1.0, losses.logistic: 2.0}), (1.0,)),
]


@pytest.mark.parametrize(("loss", "kinks"), BENT)
def test_at_the_minimum_of_losses_with_several_kinks_0_is_a_subgradient(loss, kinks):
    given, binary = table(150, 3, 9), losses.claims(loss).task == "binary"
    given = labels(given) if binary else given
    found, y, l2 = lo.solve(loss, given, l2=0.01), np.asarray(given.targets), 0.01
    assert found.status.name == "converged"
    assert 0 <= found.gap <= 1e-6 * found.cost
    rows, sign, origin = np.c_[np.ones(150), given.features], (2 * y - 1 if binary else 1 + 0 * y), (0 if binary else y)
    score = rows @ np.r_[found.params.bias, found.params.weights]
    slope = jax.vmap(jax.grad(loss))
    low = high = np.asarray(slope(score, y))
    on = np.zeros(150, bool)
    for kink in kinks:
        here = np.abs(sign * score - origin - kink) < 1e-8
        beside = np.sort([slope(sign * (kink + step) + origin, y) for step in (-1e-7, 1e-7)], axis=0)
        low, high, on = np.where(here, beside[0], low), np.where(here, beside[1], high), on | here
    assert on.any()
    fixed = rows[~on].T @ low[~on] / 150 + np.r_[0, l2 * found.params.weights]
    assert 2 * lsq_linear(rows[on].T / 150, -fixed, (low[on], high[on]), tol=1e-14).cost < 1e-12


def test_a_kink_beside_a_loss_that_separates_or_forgives():
    given = table(60, 2, 4)
    apart = given._replace(targets=(given.features[:, 0] > 0).astype(float))
    fades = losses.mixture({losses.hinge: 1.0, losses.logistic: 1.0})
    forgives = losses.mixture({losses.hinge: 1.0, losses.squared_hinge: 1.0})
    assert lo.solve(fades, apart).status.name == "no finite minimiser"
    found = lo.solve(forgives, apart)
    assert (found.status.name, found.cost, found.gap) == ("not unique", 0.0, 0.0)
    assert lo.solve(forgives, apart, l2=0.01).status.name == "converged"


@pytest.mark.parametrize("factor", [1e-6, 1e9])
def test_multiples_of_what_has_a_method_of_its_own(factor):
    several, model = classes(3), models.softmax(3)
    for loss in (losses.crammer_singer, losses.weston_watkins):
        one = lo.solve(loss, several, model=model, l2=0.1)
        found = lo.solve(losses.scaled(losses.scaled(loss, factor / 2), 2.0), several, model=model, l2=0.1 * factor)
        np.testing.assert_allclose(found.cost, factor * one.cost, rtol=1e-10)
        assert found.status.name == "converged"
        assert 0 <= found.gap <= 1e-9 * found.cost


def test_multiples_of_losses_that_are_not_convex():
    given, located = table(100, 2, 5), models.multi_output(2)
    given = given._replace(targets=np.exp(given.targets / 3))
    for loss, model in ((losses.laplace_nll, located), (losses.symmetric_absolute_percentage_error, models.linear)):
        one, found = (lo.solve(each, given, model=model) for each in (loss, losses.scaled(loss, 3.0)))
        assert found.status.name == one.status.name == "local minimum"
        np.testing.assert_allclose(found.cost, 3 * one.cost, rtol=1e-9)


def test_a_clipped_loss_is_what_its_own_name_says():
    given = table(200, 3, 6)
    for loss, other in (
        (losses.clipped(losses.half_squared_error, 2.0), lo.bind(losses.truncated_quadratic, c=2.0)),
        (losses.clipped(losses.absolute_error, 1e9), losses.absolute_error),
    ):
        found, known = lo.solve(loss, given), lo.solve(other, given)
        np.testing.assert_allclose(found.cost, known.cost, rtol=1e-10)
        assert found.status.good


def test_label_smoothing_is_that_of_the_loss_itself():
    for loss, given, model in (
        (losses.softmax_cross_entropy, classes(3), models.softmax(3)),
        (losses.logistic, labels(table(200, 3, 0)), models.linear),
    ):
        made = lo.solve(losses.label_smoothed(loss, 0.1), given, model=model)
        own = lo.solve(lo.bind(loss, label_smoothing=0.1), given, model=model)
        assert made.status.name == own.status.name == "converged"
        np.testing.assert_allclose(made.cost, own.cost, rtol=1e-10)


def test_a_backward_correction_ends_where_its_gradient_is_zero():
    rates, model = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]), models.softmax(3)
    given = classes(3)
    loss = losses.noise_corrected(losses.softmax_cross_entropy, rates)
    found = lo.solve(loss, given, model=model, l2=0.1)
    assert found.status.name == "local minimum"

    def objective(params):
        scores = jax.vmap(model.predict, in_axes=(None, 0))(params, jnp.asarray(given.features))
        return lo.cost(loss)(scores, jnp.asarray(given.targets)) + 0.05 * jnp.sum(params.weights**2)

    for leaf in jax.tree.leaves(jax.jit(jax.grad(objective))(found.params)):
        assert np.max(np.abs(leaf)) < 1e-9


def test_a_multiple_ends_as_the_loss_does():
    separable, loss = data.Dataset(np.eye(3)[np.arange(30) % 3], np.arange(30) % 3), losses.softmax_cross_entropy
    for given, expected in ((classes(3), "converged"), (separable, "no finite minimiser")):
        plain, scaled = (lo.solve(each, given, model=models.softmax(3)) for each in (loss, losses.scaled(loss, 3.0)))
        assert scaled.status.name == plain.status.name == expected
        np.testing.assert_allclose(scaled.cost, 3 * plain.cost, rtol=1e-10, atol=1e-3)


def test_a_traced_bandwidth_is_solved_as_a_known_one(key):
    d = data.linear_problem(key, n=60, d=2)
    run = jax.jit(lambda bandwidth: lo.solve(losses.smoothed(losses.quantile, bandwidth), d))
    expected = lo.solve(losses.smoothed(losses.quantile, 0.7), d)
    np.testing.assert_allclose(run(0.7).cost, expected.cost, rtol=1e-9)
