"""What the solver claims about its answers: the gap against exact linear programmes, separation against another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from problems import problem
from scipy.optimize import linprog

import lossopt as lo
from lossopt import data, losses, models


SEEDS = st.integers(0, 10_000)


def with_ones(features):
    return np.c_[features, np.ones(len(features))]


def least_quantile_cost(d, level):
    """The minimum of the pinball cost, by HiGHS: residuals are split into the parts above and below."""
    n, x = len(d.targets), with_ones(d.features)
    equations = np.c_[x, np.eye(n), -np.eye(n)]
    price = np.r_[np.zeros(x.shape[1]), np.full(n, level), np.full(n, 1 - level)]
    free = [(None, None)] * x.shape[1]
    return linprog(price, A_eq=equations, b_eq=d.targets, bounds=free + [(0, None)] * (2 * n)).fun / n


def least_dead_zone_cost(d, epsilon):
    """The minimum of the cost with a dead zone, by HiGHS."""
    n, x = len(d.targets), with_ones(d.features)
    free = [(None, None)] * x.shape[1]
    price = np.r_[np.zeros(x.shape[1]), np.ones(n)]
    beyond = np.r_[np.c_[x, -np.eye(n)], np.c_[-x, -np.eye(n)]]
    ends = np.r_[d.targets, -d.targets] + epsilon
    return linprog(price, A_ub=beyond, b_ub=ends, bounds=free + [(0, None)] * n).fun / n


def least_hinge_cost(d):
    """The minimum of the hinge cost, by HiGHS."""
    n, x = len(d.targets), with_ones(d.features) * (2 * d.targets - 1)[:, None]
    free = [(None, None)] * x.shape[1]
    price = np.r_[np.zeros(x.shape[1]), np.ones(n)]
    return linprog(price, A_ub=-np.c_[x, np.eye(n)], b_ub=-np.ones(n), bounds=free + [(0, None)] * n).fun / n


def separable(features, labels):
    """Whether some direction puts no example on the wrong side and one on the right: Konis (2007), by HiGHS."""
    x = with_ones(features) * (2 * labels - 1)[:, None]
    best = linprog(-x.sum(0), A_ub=-x, b_ub=np.zeros(len(x)), bounds=[(-1, 1)] * x.shape[1])
    return -best.fun > 1e-7


def check_bound(solution, least, unit=1.0):
    """Neither below the minimum nor further above it than the gap says, and the gap as small as promised.

    `unit` is the size of the residuals, with which the gap is compared where the cost vanishes.
    """
    slack = 1e-9 * max(least, 1e-3 * unit)
    assert -slack <= solution.cost - least <= solution.gap + slack
    assert 0 <= solution.gap <= slack + 1e-14
    assert solution.status.good


@pytest.mark.parametrize("level", [0.5, 0.05, 0.9])
@settings(max_examples=20)
@given(seed=SEEDS, ties=st.sampled_from(["none", "targets", "everything", "rows"]))
def test_the_gap_of_a_quantile_holds_on_degenerate_data(level, seed, ties):
    rng = np.random.default_rng(seed)
    features, targets = rng.normal(size=(24, 3)), rng.standard_cauchy(24)
    if ties == "targets":
        targets = rng.integers(0, 3, 24).astype(float)
    if ties == "everything":
        features, targets = rng.integers(0, 3, (24, 3)).astype(float), rng.integers(0, 3, 24).astype(float)
    if ties == "rows":
        features, targets = np.repeat(features[:6], 4, axis=0), targets
    d = data.Dataset(features, targets)
    check_bound(lo.solve(lo.bind(losses.quantile, level=level), d), least_quantile_cost(d, level))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_the_gap_holds_before_the_end(steps):
    rng = np.random.default_rng(steps)
    d = data.Dataset(rng.normal(size=(24, 3)), rng.standard_cauchy(24))
    early = lo.solve(lo.bind(losses.quantile, level=0.5), d, max_iterations=steps)
    assert 0 < early.cost - least_quantile_cost(d, 0.5) <= early.gap
    assert early.status.name == "out of steps"


@settings(max_examples=20)
@given(seed=SEEDS, integers=st.booleans(), noise=st.sampled_from([0.0, 0.5, 3.0]))
def test_the_gap_of_the_hinge_holds(seed, integers, noise):
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 3, (24, 3)).astype(float) if integers else rng.normal(size=(24, 3))
    labels = (features.sum(1) + noise * rng.normal(size=24) > features.sum(1).mean()).astype(int)
    d = data.Dataset(features, labels)
    check_bound(lo.solve(losses.hinge, d, model=models.logistic), least_hinge_cost(d))


@settings(max_examples=20)
@given(seed=SEEDS, epsilon=st.sampled_from([0.0, 0.3, 2.0, 1e3]), ties=st.booleans())
def test_the_gap_of_a_dead_zone_holds(seed, epsilon, ties):
    rng = np.random.default_rng(seed)
    features, targets = rng.normal(size=(24, 3)), rng.standard_cauchy(24)
    d = data.Dataset(features, np.round(targets) if ties else targets)
    solution = lo.solve(lo.bind(losses.epsilon_insensitive, epsilon=epsilon), d)
    check_bound(solution, least_dead_zone_cost(d, epsilon), np.abs(d.targets).mean() + epsilon)


COVERAGES = jnp.array([0.5, 0.8])
SEVERAL = {
    "multi_quantile": (losses.multi_quantile, (0.1, 0.5, 0.9), 1 / 3),
    "interval_score": (losses.interval_score, (0.05, 0.95), 20.0),
    "weighted_interval_score": (
        lo.bind(losses.weighted_interval_score, coverages=COVERAGES),
        (0.1, 0.25, 0.5, 0.75, 0.9),
        0.4,
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_several_quantiles_at_once_are_the_quantiles_one_by_one(name, l2):
    loss, levels, share = SEVERAL[name]
    d = problem(3)._replace(weights=np.linspace(0.5, 2.0, 40))
    together = lo.solve(loss, d, model=models.multi_output(len(levels)), l2=l2)
    apart = [lo.solve(lo.bind(losses.quantile, level=level), d, l2=l2 / share) for level in levels]
    np.testing.assert_allclose(together.cost, share * sum(one.cost for one in apart), rtol=1e-9)
    np.testing.assert_allclose(together.params.bias, [one.params.bias for one in apart], rtol=1e-6)
    np.testing.assert_allclose(together.params.weights.T, [one.params.weights for one in apart], rtol=1e-6)
    assert 0 <= together.gap <= 1e-9 * together.cost


def test_relative_errors_are_weighted_absolute_errors():
    d = problem(4)
    d = d._replace(targets=np.abs(d.targets) + 1)
    weighted = lo.solve(losses.absolute_error, d._replace(weights=1 / d.targets))
    relative = lo.solve(losses.absolute_percentage_error, d)
    np.testing.assert_allclose(relative.params.weights, weighted.params.weights, rtol=1e-8)
    assert relative.status.name == "converged"


# A constant fitted to these targets by the absolute error; a table of two groups, of which one is even.
@pytest.mark.parametrize(
    ("features", "targets", "outcome"),
    [
        (np.zeros((4, 1)), [1.0, 2.0, 3.0, 4.0], "not unique"),
        (np.zeros((4, 1)), [1.0, 2.0, 2.0, 4.0], "minimum norm"),
        (np.zeros((5, 1)), [1.0, 2.0, 3.0, 4.0, 5.0], "minimum norm"),
        ([[0.0], [0.0], [1.0], [1.0], [1.0]], [1.0, 2.0, 0.0, 5.0, 9.0], "not unique"),
        ([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]], [1.0, 2.0, 7.0, 0.0, 5.0, 9.0], "converged"),
    ],
)
def test_several_minima_are_said_to_be_so(features, targets, outcome):
    solution = lo.solve(losses.absolute_error, data.Dataset(np.asarray(features), np.asarray(targets)))
    assert solution.status.name == outcome
    assert solution.status.good


LIKELIHOODS = ["gaussian_nll", "logistic_nll", "student_t_nll", "crps_gaussian", "crps_laplace", "crps_logistic"]


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_location_and_its_scale_are_fitted_together_in_any_unit(name):
    d = problem(0, n=200)
    d = d._replace(targets=d.targets * np.exp(d.features[:, 0]))
    model = models.multi_output(2)

    def cost(params):
        scores = jnp.asarray(d.features) @ params.weights + params.bias[None]
        return lo.cost(losses.get(name))(scores, jnp.asarray(d.targets))

    solution = lo.solve(losses.get(name), d, model=model)
    large = lo.solve(losses.get(name), d._replace(targets=1e6 * d.targets + 1e7), model=model)
    assert solution.status.name == large.status.name == "local minimum"
    slopes = jax.grad(cost)(solution.params)
    assert max(np.abs(leaf).max() for leaf in slopes) < 1e-9
    np.testing.assert_allclose(large.params.weights[:, 0], 1e6 * solution.params.weights[:, 0], rtol=1e-6)
    np.testing.assert_allclose(large.params.weights[:, 1], solution.params.weights[:, 1], rtol=1e-6)
    np.testing.assert_allclose(large.params.bias[1], solution.params.bias[1] + np.log(1e6), rtol=1e-6)


@pytest.mark.parametrize("name", ["gaussian_nll", "student_t_nll", "crps_logistic"])
def test_a_scale_follows_the_noise_however_small_but_without_noise_there_is_none(name):
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(80, 2)), rng.normal(size=80)
    exact = features @ [1.0, 2.0] + 3
    fit = lambda targets: lo.solve(losses.get(name), data.Dataset(features, targets), model=models.multi_output(2))  # noqa: E731
    small, ordinary = fit(exact + 1e-9 * noise), fit(exact + noise)
    assert small.status.name == ordinary.status.name == "local minimum"
    assert small.iterations < 10
    # The noise itself is known to a rounding of the targets.
    np.testing.assert_allclose(small.params.bias[1] - np.log(1e-9), ordinary.params.bias[1], atol=1e-4)
    assert fit(exact).status.name == "no finite minimiser"
    assert fit(np.full(80, 2.0)).status.name == "no finite minimiser"


@settings(max_examples=10)
@given(seed=SEEDS, power=st.floats(-9.0, 2.0))
def test_the_gap_holds_with_a_penalty(seed, power):
    rng = np.random.default_rng(seed)
    d = data.Dataset(rng.normal(size=(24, 3)), rng.standard_cauchy(24))
    solve = lambda tolerance: lo.solve(losses.absolute_error, d, l2=10.0**power, tolerance=tolerance)  # noqa: E731
    rough, exact = solve(1e-2), solve(None)
    # Where the penalty is large the weights are near 0, and of 24 targets any number in the middle is a median.
    assert exact.status.name == "converged" or (exact.status.name == "not unique" and power > 0)
    assert exact.gap <= 1e-9 * exact.cost
    assert 0 <= rough.cost - exact.cost + exact.gap <= rough.gap + exact.gap


def test_the_gap_of_least_squares_is_what_is_left():
    rng = np.random.default_rng(0)
    d = data.Dataset(rng.normal(size=(24, 3)), rng.normal(size=24))
    assert 0 <= lo.solve(losses.squared_error, d).gap < 1e-28


@settings(max_examples=60)
@given(seed=SEEDS, kind=st.sampled_from(["integers", "normal"]))
def test_logistic_has_no_finite_minimiser_exactly_where_the_classes_are_separable(seed, kind):
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 3, (9, 2)).astype(float) if kind == "integers" else rng.normal(size=(9, 2))
    labels = rng.integers(0, 2, 9)
    solution = lo.solve(losses.logistic, data.Dataset(features, labels), model=models.logistic)
    assert (solution.status.name == "no finite minimiser") == separable(features, labels)
    assert solution.status.good != separable(features, labels)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(solution.params))


@pytest.mark.parametrize("far", [1e1, 1e3, 1e8])
@pytest.mark.parametrize("classes", [2, 3])
def test_separable_classes_are_so_wherever_it_begins(classes, far):
    features = np.random.default_rng(0).normal(size=(60, 2))
    weights = np.array([[1.0, 2.0, -1.0], [-1.0, 1.0, 0.5]])[:, :classes]
    labels = np.argmax(features @ weights, axis=1)
    overlapping = np.where(np.arange(60) % 20, labels, 0)
    loss, model = losses.softmax_cross_entropy, models.softmax(classes)
    init = models.Params(weights * far, np.zeros(classes))
    if classes == 2:
        loss, model = losses.logistic, models.logistic
        init = models.Params((weights[:, 1] - weights[:, 0]) * far, np.zeros(()))
    apart, mixed = (
        lo.solve(loss, data.Dataset(features, given), model=model, init=init) for given in (labels, overlapping)
    )
    assert apart.status.name == "no finite minimiser"
    assert mixed.status.name != "no finite minimiser"


@pytest.mark.parametrize("overlap", [1e-1, 1e-3, 1e-5, 1e-7])
def test_a_narrow_overlap_is_not_separation(overlap):
    x = np.r_[np.linspace(-2, -1, 20), np.linspace(1, 2, 20), overlap, -overlap][:, None]
    labels = np.r_[np.zeros(20), np.ones(20), 0, 1].astype(int)
    solution = lo.solve(losses.logistic, data.Dataset(x, labels), model=models.logistic)
    assert solution.status.name == "converged"


@pytest.mark.parametrize("softness", [1e-12, 1e-14])
def test_targets_that_are_all_but_hard_do_not_separate(softness):
    targets = np.where([True, True, False, False], 1 - softness, softness)
    step = data.Dataset(np.array([1.0, 1.0, 0.0, 0.0])[:, None], targets)
    found = lo.solve(losses.logistic, step, model=models.logistic)
    assert found.status.name == "converged"
    odds = np.log1p(-softness) - np.log(softness)
    np.testing.assert_allclose(np.append(found.params.weights, found.params.bias), [2 * odds, -odds], rtol=1e-3)


def test_slopes_that_fade_as_a_bounded_loss_rises_are_no_separation():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(100, 6))
    scores = features[:, :3] * [1, 0.8, 0.6]
    labels = {"apart": scores.argmax(1), "mixed": (scores + rng.gumbel(size=(100, 3))).argmax(1)}
    given = {name: data.Dataset(features, each) for name, each in labels.items()}
    loss, model = losses.generalized_cross_entropy, models.softmax(3)
    found = {name: lo.solve(loss, each, model=model).status.name for name, each in given.items()}
    assert found["apart"] == "no finite minimiser"
    assert found["mixed"] in ("local minimum", "out of steps")


def test_a_table_with_an_empty_cell_is_quasi_separable():
    x = np.repeat([0.0, 0.0, 1.0], [12, 8, 10])[:, None]
    labels = np.repeat([0, 1, 1], [12, 8, 10])
    solution = lo.solve(losses.logistic, data.Dataset(x, labels), model=models.logistic)
    assert solution.status.name == "no finite minimiser"
    # The part that is determined has converged: the odds of the first row of the table.
    np.testing.assert_allclose(solution.params.bias, np.log(8 / 12), rtol=1e-6)
    with pytest.raises(RuntimeError, match="l2"):
        lo.solve(losses.logistic, data.Dataset(x, labels), model=models.logistic, throw=True)


def iris():
    return pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)


def test_setosa_and_versicolor_are_separable_until_penalised():
    features, labels = (table[:100] for table in iris())
    d = data.Dataset(features, labels)
    assert lo.solve(losses.logistic, d, model=models.logistic).status.name == "no finite minimiser"
    assert lo.solve(losses.logistic, d, model=models.logistic, l2=1e-6).status.name == "converged"


def test_versicolor_and_virginica_are_not():
    features, labels = (table[50:] for table in iris())
    solution = lo.solve(losses.logistic, data.Dataset(features, labels - 1), model=models.logistic)
    assert solution.status.name == "converged"


@pytest.mark.parametrize(("classes", "l2", "outcome"), [(3, 0.0, "no finite minimiser"), (3, 1e-2, "converged")])
def test_softmax_on_iris(classes, l2, outcome):
    solution = lo.solve(losses.softmax_cross_entropy, data.Dataset(*iris()), model=models.softmax(classes), l2=l2)
    assert solution.status.name == outcome


def test_a_class_that_never_occurs_has_no_finite_bias():
    features, labels = iris()
    soft = np.eye(4)[labels]
    solution = lo.solve(
        losses.softmax_cross_entropy_soft, data.Dataset(features, soft), model=models.softmax(4), l2=1e-2
    )
    assert solution.status.name == "no finite minimiser"


MARGINS = [losses.squared_hinge, losses.smoothed_hinge, losses.modified_huber, losses.hinge]


@pytest.mark.parametrize(("loss", "times"), [*((loss, 1) for loss in MARGINS), (losses.squared_hinge, 6000)])
def test_on_separable_data_a_margin_is_not_the_only_one(loss, times):
    features, labels = (np.concatenate([table[:100]] * times) for table in iris())
    solution = lo.solve(loss, data.Dataset(features, labels), model=models.logistic)
    assert solution.status.name == "not unique"
    assert solution.cost < 1e-30
    larger = features @ np.asarray(2 * solution.params.weights) + 2 * solution.params.bias
    assert lo.cost(loss)(larger, jnp.asarray(labels)) < 1e-30
    assert solve_status(loss, features, labels, l2=1e-3) == "converged"


def solve_status(loss, features, targets, **options):
    model = models.logistic if losses.card(loss).task == "binary" else models.linear
    return lo.solve(loss, data.Dataset(features, targets), model=model, **options).status.name


def test_a_flat_piece_is_a_second_minimiser_only_if_it_leads_somewhere():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 2))
    exact = features @ [1.0, -2.0]
    within = losses.bind(losses.squared_epsilon_insensitive, epsilon=0.5)
    assert solve_status(within, features, exact + rng.uniform(-0.1, 0.1, size=40)) == "not unique"
    assert solve_status(within, features, exact + rng.uniform(-3, 3, size=40)) == "converged"
    assert solve_status(losses.huber, features, exact) == "converged"
    # Two heaps, between which every constant costs the same.
    heaps = np.repeat([0.0, 100.0], 20)
    assert solve_status(losses.huber, np.tile([[1.0], [2.0]], (20, 1)), heaps) == "not unique"
    assert solve_status(losses.pseudo_huber, np.tile([[1.0], [2.0]], (20, 1)), heaps) == "converged"


def reweighted(d, c):
    """Tukey's estimate by plain reweighting from least squares: the definition of the basin."""
    x = np.c_[d.features, np.ones(len(d.targets))]
    b = np.linalg.lstsq(x, d.targets, rcond=None)[0]
    for _ in range(5000):
        root = np.clip(1 - ((d.targets - x @ b) / c) ** 2, 0, None)
        b = np.linalg.lstsq(root[:, None] * x, root * d.targets, rcond=None)[0]
    return b


# On the first five of these seeds Newton's steps from the start lead elsewhere.
@pytest.mark.parametrize("seed", [3, 68, 88, 168, 193, 0])
def test_a_redescender_stays_in_the_basin_of_reweighting(seed):
    d = problem(seed)
    d = d._replace(targets=np.where(np.arange(40) < 14, d.targets + 12, d.targets))
    solution = lo.solve(lo.bind(losses.tukey, c=3.0), d)
    np.testing.assert_allclose(np.append(solution.params.weights, solution.params.bias), reweighted(d, 3.0), rtol=1e-7)
    assert solution.status.name == "local minimum"
    assert np.isinf(solution.gap)


@pytest.mark.parametrize("seed", range(4))
def test_a_loss_that_is_cut_off_ends_at_least_squares_of_what_is_within(seed):
    d = problem(seed)
    solution = lo.solve(lo.bind(losses.truncated_quadratic, c=3.0), d)
    x, found = with_ones(d.features), np.append(solution.params.weights, solution.params.bias)
    within = np.abs(d.targets - x @ found) < 3.0
    assert 20 < np.sum(within) < 40
    np.testing.assert_allclose(found, np.linalg.lstsq(x[within], d.targets[within], rcond=None)[0], rtol=1e-9)
    assert solution.status.name == "local minimum"


def wrong_labels(distance, seed=0):
    """Overlapping classes, and a tenth of the rows far out on the wrong side."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(60, 2))
    labels = (features.sum(1) + 0.5 * rng.normal(size=60) > 0).astype(float)
    return data.Dataset(np.r_[features, np.full((6, 2), distance)], np.r_[labels, np.zeros(6)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_the_ramp_ends_in_a_minimum_no_higher_than_where_it_began(seed, l2):
    d = wrong_labels(3.0, seed)

    def cost(params):
        scores = d.features @ params.weights + params.bias
        return float(lo.cost(losses.ramp)(scores, jnp.asarray(d.targets))) + l2 / 2 * float(jnp.sum(params.weights**2))

    found, hinge = (lo.solve(loss, d, model=models.logistic, l2=l2) for loss in (losses.ramp, losses.hinge))
    assert found.status.name == "local minimum"
    assert np.isinf(found.gap)
    np.testing.assert_allclose(found.cost, cost(found.params), rtol=1e-12)
    assert found.cost <= cost(hinge.params) + 1e-12
    rng = np.random.default_rng(seed)
    for _ in range(100):
        near = jax.tree.map(lambda leaf: leaf + 1e-6 * rng.normal(size=leaf.shape), found.params)
        assert cost(near) >= found.cost - 1e-13


def test_a_row_that_the_ramp_has_given_up_may_lie_anywhere():
    start = lo.solve(losses.hinge, data.Dataset(*(leaf[:60] for leaf in wrong_labels(0.0)[:2])), model=models.logistic)
    near, far = (
        lo.solve(losses.ramp, wrong_labels(distance), model=models.logistic, l2=0.01, init=start.params)
        for distance in (10.0, 1e5)
    )
    np.testing.assert_allclose(near.cost, far.cost, rtol=1e-9)
    np.testing.assert_allclose(near.params.weights, far.params.weights, rtol=1e-5)


def test_a_loss_that_is_not_convex_has_no_certificate():
    features, labels = (table[50:] for table in iris())
    solution = lo.solve(losses.focal, data.Dataset(features, labels - 1), model=models.logistic)
    assert solution.status.name == "local minimum"
    assert jnp.isinf(solution.gap)


def test_what_falls_until_the_floats_end_is_no_minimum():
    narrow = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), data.load("stackloss"))
    solution = lo.solve(lambda p, t: -((p - t) ** 2), narrow, method="newton")
    assert solution.status.name == "diverged"
    assert jnp.isinf(solution.gap)


def test_a_loss_without_a_method_says_so():
    several = losses.mixture({losses.crammer_singer: 1.0, losses.softmax_cross_entropy: 1.0})
    with pytest.raises(ValueError, match=r"use lossopt\.fit"):
        lo.solve(several, data.Dataset(np.eye(3), np.arange(3)), model=models.softmax(3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss",
    [
        losses.absolute_error,
        lo.bind(losses.quantile, level=0.8),
        lo.bind(losses.epsilon_insensitive, epsilon=0.5),
    ],
    ids=lo.losses.label,
)
def test_targets_beside_which_1_is_nothing_have_lines_too(loss, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = 20 + x @ [1.0, -2.0] + rng.standard_t(2, size=60)
    power = 1e7 if dtype == "float32" else 1e200
    # A dead zone is nothing beside such targets.
    plain = losses.absolute_error if "epsilon" in lo.losses.label(loss) else loss
    expected = lo.solve(plain, data.Dataset(x, y))
    found = lo.solve(loss, data.Dataset(x.astype(dtype), (power * y).astype(dtype)))
    assert found.status.name == "converged"
    rounding = 1e-4 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(float(found.cost) / power, expected.cost, rtol=rounding)
    assert float(found.gap) / power <= rounding * expected.cost


@pytest.mark.parametrize(("dtype", "power"), [("float64", 1e10), ("float64", 1e200), ("float32", 1e7)])
def test_percentages_of_large_targets_are_as_exact_as_of_small_ones(dtype, power):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = 20 + x @ [1.0, -2.0] + rng.standard_t(2, size=60)
    expected = lo.solve(losses.absolute_percentage_error, data.Dataset(x, y))
    found = lo.solve(losses.absolute_percentage_error, data.Dataset(x.astype(dtype), (power * y).astype(dtype)))
    assert found.status.name == "converged"
    rounding = 2e-5 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(float(found.cost), expected.cost, rtol=rounding)
    assert float(found.gap) <= rounding * expected.cost


@pytest.mark.parametrize(("name", "kind"), [("hinge", "uint8"), ("absolute_error", "int8"), ("squared_error", "int8")])
def test_targets_of_few_bits_do_not_overflow(name, kind):
    loss = losses.get(name)
    d = problem(4, loss)
    ends = np.iinfo(kind).min, np.iinfo(kind).max
    targets = np.asarray(d.targets) if losses.claims(loss).task == "binary" else np.where(d.targets > 1, *ends[::-1])
    expected = lo.solve(loss, d._replace(targets=targets.astype(float)), l2=0.1)
    found = lo.solve(loss, d._replace(targets=targets.astype(kind)), l2=0.1)
    for left, right in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-9)


@pytest.mark.parametrize("loss", [losses.unhinged, losses.scaled(losses.unhinged, 2.0)], ids=["unhinged", "scaled"])
def test_a_linear_loss_has_a_minimum_only_from_the_penalty(loss):
    features, factor = np.array([[1.0, 0.0], [0.5, 2.0], [-1.0, 1.0], [0.3, -1.0]]), 1.0 + (loss is not losses.unhinged)
    d = data.Dataset(features, np.array([1.0, 0.0, 1.0, 0.0]))
    origin = models.without_intercept(models.logistic)
    found = lo.solve(loss, d, model=origin, l2=0.5)
    np.testing.assert_allclose(found.params.weights, factor * np.array([-0.4, 0.0]), atol=1e-12)
    assert found.status.good
    assert lo.solve(loss, d, model=origin).status.name == "no finite minimiser"
    uneven = d._replace(targets=np.array([1.0, 0.0, 0.0, 0.0]))
    for penalty in ({"l2": 0.5}, {"l1": 0.1}):
        assert lo.solve(loss, uneven, model=models.logistic, **penalty).status.name == "no finite minimiser"


PERFECT = {
    "two counts": (losses.poisson, models.linear, np.array([[0.0], [1.0]]), lambda x: np.array([3.0, 7.0])),
    "repeated counts": (losses.poisson, models.linear, np.array([[0.0], [0], [1], [1]]), lambda x: 5 - 3 * x[:, 0]),
    "exact means": (losses.poisson, models.linear, None, lambda x: np.exp(x @ [0.3, -0.2, 0.5] + 1)),
    "exact amounts": (losses.gamma, models.linear, None, lambda x: np.exp(x @ [0.3, -0.2, 0.5] + 1)),
    "two shares": (losses.logistic, models.logistic, np.array([[0.0], [1.0]]), lambda x: np.array([0.3, 0.7])),
    "exact probabilities": (losses.logistic, models.logistic, None, lambda x: jax.nn.sigmoid(x @ [1.0, -1.0, 2.0])),
    "exact successes": (
        lo.bind(losses.binomial, trials=10.0),
        models.logistic,
        None,
        lambda x: 10 * jax.nn.sigmoid(x @ [1.0, -1.0, 2.0]),
    ),
    "exact shares": (losses.kl_divergence, models.softmax(3), None, lambda x: jax.nn.softmax(x - 0.5 * x[:, ::-1])),
}


@pytest.mark.parametrize(("case", "jitted"), [*((case, False) for case in PERFECT), ("two counts", True)])
def test_a_perfect_fit_of_a_likelihood_is_converged(case, jitted):
    """There slopes and gradient are both rounding."""
    loss, model, features, target = PERFECT[case]
    features = np.random.default_rng(0).normal(size=(50, 3)) if features is None else features
    d = data.Dataset(features, target(features))
    solve = functools.partial(lo.solve, loss, model=model)
    found = (jax.jit(solve) if jitted else solve)(d)
    assert found.status.name == "converged"
    assert found.iterations < 20


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (losses.logistic, {"model": models.logistic}),
        (losses.logistic, {"model": models.logistic, "method": "lbfgs"}),
        (losses.logistic, {"model": models.logistic, "l1": 0.01}),
        (losses.squared_epsilon_insensitive, {}),
        (losses.pseudo_huber, {}),
        (losses.hinge, {"model": models.logistic}),
        (losses.absolute_error, {}),
    ],
    ids=lambda value: losses.label(value) if callable(value) else ",".join(value),
)
def test_a_gap_is_a_bound_before_the_end_too(loss, options):
    d = problem(5, loss)
    least = lo.solve(loss, d, **options)
    for steps in (1, 2, 3, 4, 6):
        found = lo.solve(loss, d, max_iterations=steps, **options)
        assert found.cost - least.cost <= found.gap + least.gap + 1e-12


def test_what_is_charged_for_in_a_bound_is_little():
    rng = np.random.default_rng(24)
    features = rng.normal(size=(30, 3))
    features[3] *= 1e9
    score = np.where(np.arange(30) == 3, 0.0, features[:, 0])
    labels = np.clip(np.round(score + rng.normal(size=30) + 1), 0, 2).astype(int)
    found = lo.solve(losses.weston_watkins, data.Dataset(features, labels), model=models.softmax(3))
    # Coefficients that cost 0.7987 are known, from a linear programme in rational numbers.
    assert found.cost - found.gap <= 0.7988


@pytest.mark.parametrize("name", ["gaussian_nll", "logistic_nll"])
def test_a_scale_that_goes_to_nothing_is_no_minimum(name):
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(30, 3)), rng.normal(size=30)
    features[3] *= 1e4
    found = lo.solve(losses.get(name), data.Dataset(features, targets), model=models.multi_output(2))
    assert not found.status.good or found.cost < 3


@pytest.mark.parametrize("loss", [losses.absolute_error, losses.huber], ids=losses.label)
def test_a_gap_is_that_of_the_coefficients_handed_back(loss):
    """In the basis the fit is perfect; weights of columns of such sizes have not the digits for it."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(20, 30)) * 10.0 ** rng.uniform(-8, 8, size=30)
    found = lo.solve(loss, data.Dataset(features, rng.normal(size=20)))
    assert found.cost > 1e-5
    assert found.gap >= found.cost * (1 - 1e-9)
    assert found.status.name == "stalled"


def test_the_gap_of_columns_that_are_nearly_one_knows_what_their_weights_lose():
    rng = np.random.default_rng(0)
    features, targets, apart = rng.normal(size=(40, 3)), rng.normal(size=40), rng.normal(size=40)
    of_third = lambda column: lo.solve(losses.absolute_error, data.Dataset(np.c_[features[:, :2], column], targets))  # noqa: E731
    well, nearly = of_third(apart), of_third(features[:, 0] + apart * 2.0**-30)
    assert nearly.cost - nearly.gap <= well.cost + 1e-7 * well.cost
    assert nearly.gap >= nearly.cost - well.cost - 1e-8 * well.cost


@pytest.mark.parametrize("p", [1.2, 1.5])
def test_powers_that_bend_without_end_where_a_row_counts_for_nothing(p):
    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(30, 3)), (rng.random(30) < 0.5).astype(float)
    weights = np.r_[np.zeros(8), 2 * np.ones(8), np.ones(14)]
    loss, kept = lo.bind(losses.power_error, p=p), weights > 0
    found = lo.solve(loss, data.Dataset(features, targets, weights))
    least = lo.solve(loss, data.Dataset(features[kept], targets[kept], weights[kept]))
    assert found.status.name == "converged"
    np.testing.assert_allclose(found.cost, least.cost, rtol=1e-12)


@pytest.mark.parametrize("p", [1.2, 1.5])
def test_powers_that_bend_without_end_in_a_row_without_leverage(p):
    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(30, 2)), rng.normal(size=30)
    features[5], targets[5] = 0.0, 0.0
    solve = functools.partial(lo.solve, lo.bind(losses.power_error, p=p), model=models.without_intercept(models.linear))
    found = solve(data.Dataset(features, targets))
    least = solve(data.Dataset(features, targets, (np.arange(30) != 5).astype(float)))
    assert found.status.name == "converged"
    np.testing.assert_allclose(found.cost, least.cost * 29 / 30, rtol=1e-12)
