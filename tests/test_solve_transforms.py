"""What is made of losses is solved as they are: multiples, sums, clipped, smoothed and for labels that may be wrong."""

import jax
import jax.numpy as jnp
import numpy as np

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
    tube = lo.bind(losses.epsilon_insensitive, epsilon=0.3)
    labels = given._replace(targets=(given.targets > 1).astype(float))
    for loss, other, factor in (
        (losses.scaled(losses.asymmetric(absolute, 0.9), 4.0), quantile, 4),
        # |r| and the loss of level 0.9 are, together, three times that of level 1.9/3.
        (losses.mixture({absolute: 1.0, quantile: 1.0}), lo.bind(losses.quantile, level=1.9 / 3), 3),
        (losses.scaled(tube, 3.0), tube, 3),
    ):
        found = lo.solve(loss, given)
        assert found.status.name == "converged"
        assert found.gap <= 1e-9 * found.cost
        np.testing.assert_allclose(found.cost, factor * cost(other), rtol=1e-9)
    np.testing.assert_allclose(
        cost(losses.scaled(losses.hinge, 3.0), labels), 3 * cost(losses.hinge, labels), rtol=1e-9
    )
    np.testing.assert_allclose(cost(losses.scaled(absolute, 2.0), l1=0.1), 2 * cost(absolute, l1=0.05), rtol=1e-9)


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
    loss, model = losses.softmax_cross_entropy, models.softmax(3)
    made = lo.solve(losses.label_smoothed(loss, 0.1), classes(3), model=model)
    own = lo.solve(lo.bind(loss, label_smoothing=0.1), classes(3), model=model)
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
