"""Transforms: what they are in known cases, what follows for the card, and that they stay losses like any other."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lossopt as lo
from lossopt import data, losses, models
from lossopt.losses.transforms._part import part


R = jnp.array([-300.0, -3.0, -1.7, -0.5, -1e-9, 0.0, 1e-9, 0.2, 0.45, 1.3, 7.0, 1e8])
S = jnp.array([-40.0, -3.0, -1.7, -0.4, 0.0, 1e-9, 0.3, 0.9, 1.2, 2.7, 50.0])
Z = jnp.array([[0.3, -1.0, 2.0], [17.0, 0.0, -1.0], [0.0, 0.0, 0.0]])


@jax.jit
def orders(loss, predictions, targets):
    """Value, slope and curvature of every example."""
    slope = jax.grad(loss)
    return [jax.vmap(f)(predictions, targets) for f in (loss, slope, jax.jacfwd(slope))]


def assert_same(left, right, predictions, targets, **tolerance):
    both = [orders(jax.tree_util.Partial(loss), predictions, targets) for loss in (left, right)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, **({"rtol": 1e-12, "atol": 1e-300} | tolerance))


SAME_OF_RESIDUAL = {
    "scaled": (losses.scaled(losses.squared_error, 0.5), losses.half_squared_error),
    "quantile": (losses.asymmetric(losses.absolute_error, 0.8), lo.bind(losses.quantile, level=0.8)),
    "expectile": (losses.asymmetric(losses.squared_error, 0.2), lo.bind(losses.expectile, level=0.2)),
    "envelope": (losses.smoothed(losses.absolute_error, 0.4), losses.scaled(lo.bind(losses.huber, delta=0.4), 2.5)),
    "envelope of a square": (losses.smoothed(losses.squared_error, 1.5), losses.scaled(losses.squared_error, 0.25)),
    "clipped": (losses.clipped(losses.half_squared_error, 2.0), lambda p, t: jnp.minimum((p - t) ** 2 / 2, 2.0)),
    "clipped far above": (losses.clipped(losses.tukey, 100.0), losses.tukey),
    "mixture": (
        losses.mixture({losses.squared_error: 0.3, losses.half_squared_error: 0.4}),
        losses.half_squared_error,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_OF_RESIDUAL)
def test_known_cases_of_a_residual(name):
    left, right = SAME_OF_RESIDUAL[name]
    assert_same(left, right, R, jnp.zeros_like(R))


def test_label_smoothing_is_that_of_the_losses_which_have_their_own():
    for target in (0.0, 1.0):
        y = jnp.full_like(S, target)
        left = losses.label_smoothed(losses.logistic, 0.1)
        assert_same(left, lo.bind(losses.logistic, label_smoothing=0.1), S, y, atol=1e-15)
    left, right = losses.label_smoothed(losses.softmax_cross_entropy, 0.1), {"label_smoothing": 0.1}
    assert_same(left, lo.bind(losses.softmax_cross_entropy, **right), Z, jnp.array([0, 1, 2]), atol=1e-15)


@pytest.mark.parametrize("loss", [losses.logistic, losses.hinge], ids=["logistic", "hinge"])
def test_the_backward_correction_is_right_on_average(loss):
    rates = jnp.array([[0.8, 0.2], [0.05, 0.95]])
    corrected = losses.noise_corrected(loss, rates)
    for true in (0, 1):
        average = lambda s, true=true: sum(rates[true, seen] * corrected(s, float(seen)) for seen in (0, 1))  # noqa: E731
        clean = lambda s, true=true: loss(s, float(true))  # noqa: E731
        left, right = (jax.jit(jax.vmap(jax.value_and_grad(f)))(S) for f in (average, clean))
        np.testing.assert_allclose(left, right, atol=1e-12)


def test_the_backward_correction_of_many_classes():
    rates = jnp.array([[0.7, 0.2, 0.1], [0.0, 0.9, 0.1], [0.3, 0.3, 0.4]])
    corrected = losses.noise_corrected(losses.softmax_cross_entropy, rates)
    labels = jnp.arange(3)
    by_label = lambda loss: jax.jit(jax.vmap(jax.vmap(loss, (None, 0)), (0, None)))(Z, labels)  # noqa: E731
    average = by_label(corrected) @ rates.T
    np.testing.assert_allclose(average, by_label(losses.softmax_cross_entropy), atol=1e-14)


DERIVED = [
    losses.scaled(losses.huber, 2.5),
    losses.scaled(losses.tukey, 3.0),
    losses.scaled(losses.logistic, 3.0),
    losses.scaled(losses.softmax_cross_entropy, 0.2),
    losses.asymmetric(losses.absolute_error, 0.8),
    losses.asymmetric(losses.squared_error, 0.8),
    losses.asymmetric(lo.bind(losses.huber, delta=0.7), 0.2),
    losses.asymmetric(losses.tukey, 0.2),
    losses.clipped(losses.half_squared_error, 2.0),
    losses.clipped(losses.absolute_error, 2.0),
    losses.clipped(losses.huber, 2.0),
    losses.clipped(losses.tukey, 100.0),
    losses.clipped(losses.logistic, 2.0),
    losses.clipped(losses.hinge, 0.5),
    losses.clipped(losses.softmax_cross_entropy, 2.0),
    losses.smoothed(losses.absolute_error, 0.5),
    losses.smoothed(lo.bind(losses.quantile, level=0.2), 0.5),
    losses.smoothed(losses.hinge, 0.5),
    losses.smoothed(losses.squared_error, 0.5),
    losses.smoothed(losses.logistic, 0.5),
    losses.mixture({losses.squared_error: 0.7, losses.absolute_error: 0.3}),
    losses.mixture({losses.huber: 0.7, losses.log_cosh: 0.3}),
    losses.mixture({losses.logistic: 0.7, losses.hinge: 0.3}),
    losses.label_smoothed(losses.hinge, 0.1),
    losses.label_smoothed(losses.softmax_cross_entropy, 0.1),
    losses.noise_corrected(losses.logistic, np.array([[0.8, 0.2], [0.1, 0.9]])),
    losses.clipped(losses.scaled(losses.asymmetric(losses.squared_error, 0.3), 2.0), 5.0),
    lo.bind(losses.one_of(losses.huber, losses.cauchy, losses.quantile), index=1),
    lo.bind(losses.one_of(losses.hinge, losses.logistic), index=0),
]
COUNTS = {"scaled": 11, "asymmetric": 10, "clipped": 7, "smoothed": 9, "mixture": 5, "label_smoothed": 3}


@pytest.mark.parametrize("loss", DERIVED, ids=lambda loss: losses.claims(loss).name)
def test_every_claim_of_a_derived_card_is_measured(loss):
    report = lo.check(loss)
    assert report.agrees, report
    assert report.gradient_error == 0
    assert len(report.findings) >= COUNTS.get(lo.card(loss).name.split("(")[0], 0)


def test_a_loss_of_losses_is_a_loss():
    loss = losses.smoothed(losses.asymmetric(losses.absolute_error, 0.9), 0.1)
    assert lo.card(loss).name == "smoothed(asymmetric(absolute_error))"
    batch = lo.cost(loss)(jnp.arange(4.0), jnp.ones(4))
    assert np.isfinite(batch)
    assert losses.hyperparameters(lo.bind(loss, bandwidth=0.2))["bandwidth"] == 0.2


PICKLED = [
    lo.bind(losses.one_of(losses.huber, lo.bind(losses.cauchy, c=0.5)), index=1),
    losses.clipped(losses.scaled(losses.huber, 2.0), 5.0),
    losses.mixture({losses.huber: 0.7, losses.log_cosh: 0.3}),
]


@pytest.mark.parametrize("loss", PICKLED, ids=losses.label)
def test_a_transformed_loss_goes_to_another_process(loss):
    assert pickle.loads(pickle.dumps(loss))(3.0, 1.0) == loss(3.0, 1.0)


def test_a_sweep_over_a_transform_and_the_loss_inside_compiles_once():
    traces = []

    @jax.jit
    def slope(loss):
        traces.append(loss)
        return jax.grad(loss)(3.0, 0.0)

    found = [
        float(slope(losses.scaled(lo.bind(losses.huber, delta=delta), factor)))
        for delta, factor in [(1.0, 2.0), (0.5, 3.0)]
    ]
    assert found == [2.0, 1.5]
    assert len(traces) == 1


def test_solve_and_fit_take_a_transformed_loss(key):
    d = data.linear_problem(key, n=60, d=2)
    plain = lo.solve(losses.huber, d)
    scaled = lo.solve(losses.scaled(losses.huber, 7.0), d)
    np.testing.assert_allclose(scaled.params.weights, plain.params.weights, rtol=1e-8)
    level = lo.solve(losses.asymmetric(losses.squared_error, 0.8), d)
    np.testing.assert_allclose(level.params.weights, lo.solve(lo.bind(losses.expectile, level=0.8), d).params.weights)
    plain.status.raise_if_bad()
    scaled.status.raise_if_bad()
    clean = data.binary_problem(key, n=60, d=2)
    corrected = losses.noise_corrected(losses.logistic, np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert np.isfinite(lo.fit(corrected, clean, model=models.logistic, num_steps=5).trace.cost).all()


def test_far_out_a_clipped_loss_has_no_pull_even_where_the_loss_overflows():
    steep = losses.clipped(lo.bind(losses.general_robust, alpha=jnp.inf), 3.0)
    for r in (10.0, 1e3, 1e300):
        assert float(steep(r, 0.0)) == 3.0
        assert float(jax.grad(steep)(r, 0.0)) == 0.0
        assert float(jax.grad(jax.grad(steep))(r, 0.0)) == 0.0


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: part("huber"), TypeError, "is not a loss"),
        (lambda: losses.scaled(losses.huber, -1.0), ValueError, r"scaled\(huber\) needs factor in \(0, inf\)"),
        (lambda: losses.asymmetric(losses.logistic, 0.5), ValueError, "logistic is not one"),
        (lambda: losses.asymmetric(losses.huber, 1.0), ValueError, r"level in \(0, 1\)"),
        (lambda: losses.clipped(losses.huber, 0.0), ValueError, "cap in"),
        (lambda: losses.smoothed(losses.tukey, 1.0), ValueError, "tukey is not convex"),
        (lambda: losses.smoothed(losses.softmax_cross_entropy, 1.0), ValueError, "is of logits"),
        (lambda: losses.mixture({}), ValueError, "at least one loss"),
        (lambda: losses.mixture({losses.huber: 0.0}), ValueError, "huber has weight 0"),
        (lambda: losses.one_of(), ValueError, "at least one loss"),
        (lambda: losses.one_of(losses.huber, losses.logistic), ValueError, "one kind"),
        (lambda: lo.bind(losses.one_of(losses.huber, losses.cauchy), index=2), ValueError, r"index in \[0, 1\]"),
        (
            lambda: losses.mixture({losses.huber: 1.0, losses.logistic: 1.0}),
            ValueError,
            "logit and unit; real and real",
        ),
        (lambda: losses.label_smoothed(losses.huber, 0.1), ValueError, "huber is for another task"),
        (lambda: losses.noise_corrected(losses.logistic, np.eye(3)[:2]), ValueError, "square matrix"),
        (lambda: losses.noise_corrected(losses.logistic, np.eye(2) / 2), ValueError, "Row 0 of transition sums to 0.5"),
        (lambda: losses.noise_corrected(losses.logistic, np.full((2, 2), 0.5)), ValueError, "cannot be inverted"),
    ],
)
def test_mistakes_are_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize("name", ["scaled", "clipped", "smoothed"])
def test_nan_and_illegal_targets_stay_nan(name):
    loss = getattr(losses, name)(losses.logistic, 0.5)
    for prediction, target in ((jnp.nan, 1.0), (0.3, 2.0)):
        assert np.isnan(loss(prediction, target))
        assert np.isnan(jax.grad(loss)(prediction, target))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize(
    ("loss", "score", "target"), [("exponential", 30, 0), ("poisson", 30, 1), ("exponential", 80, 0)]
)
def test_a_steep_loss_is_smoothed_as_well(loss, score, target, dtype):
    """Its slope at the prediction, and with it where the search begins, is beyond all measure of the answer."""
    low, high = 0.0, float(score)
    for _ in range(200):
        q = (low + high) / 2
        slope = np.exp(q) - (target if loss == "poisson" else 0)
        low, high = (q, high) if q + 0.5 * slope < score else (low, q)
    found = jax.grad(losses.smoothed(losses.get(loss), 0.5))(jnp.asarray(score, dtype), jnp.asarray(target, dtype))
    np.testing.assert_allclose(found, (score - q) / 0.5, rtol=64 * jnp.finfo(dtype).eps)


def test_what_is_infinite_stays_so_inside_a_transform():
    hinge, lad = losses.smoothed(losses.hinge, 0.5), losses.smoothed(losses.absolute_error, 0.5)
    assert (hinge(jnp.inf, 1.0), hinge(-jnp.inf, 1.0), lad(jnp.inf, 0.0)) == (0.0, jnp.inf, jnp.inf)
    assert losses.clipped(lad, 2.0)(jnp.inf, 0.0) == 2.0
    masked = jnp.array([1.0, -jnp.inf, 0.3])
    expected = losses.softmax_cross_entropy(masked, 0)
    for same in (
        losses.label_smoothed(losses.softmax_cross_entropy, 0.0),
        losses.noise_corrected(losses.softmax_cross_entropy, jnp.eye(3)),
    ):
        np.testing.assert_allclose(same(masked, 0), expected, rtol=1e-12)
    never = jnp.array([[0.9, 0.0, 0.1], [0.0, 1.0, 0.0], [0.2, 0.0, 0.8]])
    assert jnp.isfinite(losses.noise_corrected(losses.softmax_cross_entropy, never)(masked, 0))


@pytest.mark.parametrize(
    ("loss", "score", "target", "value", "slope"),
    [
        (losses.exponential, -90.0, 1.0, 7371.931, -169.73154),
        (losses.poisson, 100.0, 3.0, 9152.3691, 189.48002),
        (losses.exponential, -1e10, 1.0, 1e20, -2e10),
        (losses.exponential, -1e30, 1.0, np.inf, -2e30),
        (losses.exponential, 1e30, 1.0, 0.0, 0.0),
        (losses.poisson, 1e30, 3.0, np.inf, 2e30),
        (losses.poisson, -1e30, 3.0, 3e30, -3.0),
    ],
)
def test_an_envelope_holds_where_its_loss_overflows(loss, score, target, value, slope):
    found = jax.value_and_grad(losses.smoothed(loss, 0.5))(jnp.float32(score), jnp.float32(target))
    np.testing.assert_allclose(found, (value, slope), rtol=1e-6)


def test_an_envelope_holds_where_its_loss_overflows_in_double_precision():
    slope = jax.grad(losses.smoothed(losses.exponential, 0.5))(-720.0, 1.0)
    assert slope == pytest.approx(-1425.4754785875364, rel=1e-12)


INSENSITIVE = lo.bind(losses.epsilon_insensitive, epsilon=0.3)


@pytest.mark.parametrize(
    "several",
    [
        (losses.huber, losses.log_cosh),
        (losses.absolute_error, losses.quantile),
        (losses.absolute_error, losses.huber, losses.cauchy),
        (losses.logistic, losses.exponential),
        (INSENSITIVE, losses.scaled(INSENSITIVE, 2.0)),
    ],
    ids=lambda several: "-".join(map(losses.label, several)),
)
def test_a_choice_has_the_minima_of_its_losses(several, key):
    d = data.linear_problem(key, n=60, d=2)
    if losses.card(several[0]).task == "binary":
        d = data.Dataset(d.features, (d.targets > 0.3).astype(float))
    for index, loss in enumerate(several):
        found = lo.solve(lo.bind(losses.one_of(*several), index=index), d, l2=0.1, throw=True)
        np.testing.assert_allclose(found.cost, lo.solve(loss, d, l2=0.1).cost, rtol=1e-9)


def test_a_choice_of_losses_with_a_certificate_has_one(key):
    d = data.linear_problem(key, n=60, d=2)
    binary = data.Dataset(d.features, (d.targets > 0.3).astype(float))
    several = losses.one_of(losses.huber, losses.mixture({losses.squared_error: 1.0}))
    for loss, problem in ((losses.one_of(losses.logistic, losses.exponential), binary), (several, d)):
        for index in range(2):
            run = jax.jit(lambda i, loss=loss, problem=problem: lo.solve(lo.bind(loss, index=i), problem, l2=0.1))
            for found in (run(index), lo.solve(lo.bind(loss, index=index), problem, l2=0.1)):
                assert found.status.name == "converged"
                assert 0 <= found.gap < 1e-12 * found.cost


def test_a_sided_choice_of_lines_is_one_of_lines(key):
    d = data.linear_problem(key, n=60, d=2)
    choice = lo.bind(losses.one_of(losses.absolute_error, losses.quantile), index=1)
    found = lo.solve(losses.asymmetric(choice, 0.3), d, throw=True)
    expected = lo.solve(losses.asymmetric(losses.quantile, 0.3), d)
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-9)


def test_a_choice_among_quantiles_has_their_number(key):
    levels = lo.bind(losses.multi_quantile, levels=(0.2, 0.5, 0.8))
    d = data.linear_problem(key, n=60, d=2)
    for loss in (losses.one_of(losses.multi_quantile, levels), losses.scaled(levels, 2.0)):
        assert losses.length(loss) == 3
        run = lo.fit(loss, d, model=models.multi_output(3), optimizer=optax.sgd(0.1), num_steps=3)
        assert run.params.bias.shape == (3,)


@pytest.mark.parametrize("index", [0.5, 1.0, True])
def test_an_index_is_a_whole_number(index):
    with pytest.raises(TypeError, match="one_of takes a whole number as its index, not"):
        lo.bind(losses.one_of(losses.huber, losses.cauchy), index=index)(1.0, 0.0)
