"""Traps into which well-known libraries fall, each by name; float32 throughout, as in training."""

import jax
import jax.numpy as jnp
import numerics
import numpy as np
import pytest
from cases import Case

from lossopt import compiling, losses


def single(*values):
    return tuple(jnp.asarray(value, jnp.float32) for value in values)


def orders(name, prediction, target, **setting):
    """Value, slope and curvature at one float32 example."""
    found = numerics.everything(Case(name, setting).loss, *(np.array([x], np.float32) for x in (prediction, target)))
    return tuple(order[0] for order in (found.value, found.reverse, found.curvature))


def test_log_cosh_of_a_small_residual_is_half_its_square():
    value, slope, curvature = orders("log_cosh", 3e-5, 0.0)
    assert value == pytest.approx(4.5e-10, rel=1e-6)
    assert slope == pytest.approx(3e-5, rel=1e-6)
    assert curvature == pytest.approx(1.0, rel=1e-6)


def test_log_cosh_of_a_large_residual_does_not_overflow():
    assert orders("log_cosh", 1e4, 0.0) == (pytest.approx(1e4 - np.log(2)), 1.0, 0.0)


def test_cross_entropy_of_a_confident_right_prediction_is_not_0():
    logits = jnp.array([17.0, 0.0], jnp.float32)
    assert losses.softmax_cross_entropy(logits, 0) == pytest.approx(4.1399376e-8, rel=1e-6)
    slope = jax.grad(losses.softmax_cross_entropy)(logits, 0)
    np.testing.assert_allclose(slope, [-4.1399374e-8, 4.1399374e-8], rtol=1e-6)


def test_cross_entropy_of_large_logits_sees_their_difference():
    logits = jnp.array([1e5 + 8, 1e5], jnp.float32)
    assert losses.softmax_cross_entropy(logits, 0) == pytest.approx(3.3540637e-4, rel=1e-6)
    assert losses.softmax_cross_entropy(logits, 1) == pytest.approx(8.0003354, rel=1e-6)


def test_a_masked_class_takes_no_part():
    masked, plain = jnp.array([1.0, -jnp.inf, 2.0], jnp.float32), jnp.array([1.0, 2.0], jnp.float32)
    for label, other in ((0, 0), (2, 1)):
        assert losses.softmax_cross_entropy(masked, label) == losses.softmax_cross_entropy(plain, other)
        slope = jax.grad(losses.softmax_cross_entropy)(masked, label)
        assert slope[1] == 0
        np.testing.assert_allclose(
            slope[jnp.array([0, 2])], jax.grad(losses.softmax_cross_entropy)(plain, other), rtol=1e-6
        )
        assert np.isfinite(jax.hessian(losses.softmax_cross_entropy)(masked, label)).all()


def test_a_masked_label_costs_infinity():
    assert losses.softmax_cross_entropy(jnp.array([-jnp.inf, 0.0], jnp.float32), 0) == jnp.inf
    soft = jnp.array([0.5, 0.5], jnp.float32)
    assert losses.softmax_cross_entropy_soft(jnp.array([-jnp.inf, 0.0], jnp.float32), soft) == jnp.inf


MANY = [losses.softmax_cross_entropy, losses.crammer_singer, losses.weston_watkins, losses.sparsemax]


@pytest.mark.parametrize(
    "loss",
    [
        *MANY,
        losses.label_smoothed(losses.softmax_cross_entropy, 0.1),
        losses.noise_corrected(losses.softmax_cross_entropy, 0.9 * np.eye(300) + 0.1 / 300),
    ],
    ids=losses.label,
)
def test_a_label_in_a_narrow_type_is_one_class_of_many(loss):
    z, both = jnp.sin(jnp.arange(300, dtype=jnp.float32)), jax.jit(jax.value_and_grad(loss))
    for label in (jnp.uint8(1), jnp.int8(100)):
        for found, expected in zip(both(z, label), both(z, int(label)), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert np.isnan(both(z, jnp.int8(-1))[0])


@pytest.mark.parametrize("scores", [[jnp.inf, 0.3, 0.5], [0.3, jnp.inf, 0.5], [-jnp.inf] * 3])
def test_sparsemax_knows_nothing_of_scores_that_it_cannot_compare(scores):
    value, slope = jax.value_and_grad(losses.sparsemax)(jnp.array(scores, jnp.float32), 1)
    assert np.isnan(value)
    assert np.isnan(slope).all()


def test_categorical_focal_fades_in_half_precision():
    logits = jnp.array([0.0, 2.0, 1.0], jnp.float16)
    assert losses.categorical_focal(logits, 1) == pytest.approx(0.045678, rel=4e-3)
    slope = jax.grad(losses.categorical_focal)(logits, 1)
    np.testing.assert_allclose(slope, jax.grad(losses.categorical_focal)(logits.astype(float), 1), rtol=4e-3)


@pytest.mark.parametrize("full", [True, jnp.bool_(True)], ids=["known", "traced"])
@pytest.mark.parametrize(
    ("s", "dispersion", "by_dispersion", "by_target"),
    [
        (3.0, 0.0, -163.5433229, -2.3068528),
        (3.0, 1e-20, -163.5433229, -2.3068528),
        (3.0, 1e-5, -163.497355, -2.30667198),
        (30.0, 1e-10, -5.97601914e20, -22.3317684),
        (0.7, 100.0, -2.31954688e-9, -3.3977595e-5),
    ],
)
def test_the_negative_binomial_has_derivatives_however_small_the_dispersion(
    s, dispersion, by_dispersion, by_target, full
):
    def loss(y, a):
        return losses.negative_binomial(jnp.float32(s), y, dispersion=a, full=full)

    found = jax.jit(jax.grad(loss, (1, 0)))(*single(2.0, dispersion))
    np.testing.assert_allclose(found, (by_dispersion, by_target), rtol=3e-6)


def test_a_deviance_does_not_overflow_before_it_must():
    assert losses.binomial(*single(1e30, 1e-9), full=True) == pytest.approx(1e30, rel=1e-6)
    far = losses.negative_binomial(*single(70.0, 1e30), dispersion=1e10, full=True)
    assert far == pytest.approx(3.1999e-11, rel=1e-4)


@pytest.mark.parametrize(("y", "power"), [(1e-20, 4.0), (1e10, -3.0), (1e30, -3.0)])
def test_tweedie_is_0_at_a_fit_whose_power_overflows(y, power):
    (y,) = single(y)
    assert losses.tweedie(jnp.log(y), y, power=power, full=True) == 0


def test_tweedie_beside_such_a_fit_does_not_overflow_before_it_must():
    (y,) = single(1e-20)
    s = jnp.log(y) + jnp.float32(0.01)
    u = float(s) - np.log(float(y))
    exact = float(y) ** -2.0 * (np.exp(-3 * u) / 3 - np.exp(-2 * u) / 2 + 1 / 6)
    assert losses.tweedie(s, y, power=4.0, full=True) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("full", [False, True])
def test_a_student_law_without_end_is_no_better_for_more_degrees_of_freedom(full):
    def loss(df):
        return losses.student_t_nll(jnp.array([1.0, 0.0], jnp.float32), jnp.float32(0.0), df=df, full=full)

    assert jax.grad(loss)(jnp.float32(jnp.inf)) == 0


def test_a_student_law_far_out_costs_the_logarithm_of_what_overflows():
    value = losses.student_t_nll(jnp.array([-1.0, -100.0], jnp.float32), jnp.float32(1.0))
    assert value == pytest.approx(-100 + 2.5 * (2 * (np.log(2) + 100) - np.log(4)), rel=1e-6)


def test_a_value_is_finite_where_a_square_or_a_quotient_on_the_way_is_not():
    assert losses.expectile(*single(-1e19, 1e19), level=0.1) == pytest.approx(4e37, rel=1e-6)
    assert losses.smooth_quantile(*single(0.0, 1e37), bandwidth=1e-4) == pytest.approx(5e36, rel=1e-6)


@pytest.mark.parametrize("name", ["pseudo_huber", "general_robust", "cauchy", "student_t"])
@pytest.mark.parametrize("r", [127.0, 129.0, 256.0, 1000.0, -3e4])
def test_robust_losses_hold_in_half_precision(name, r):
    loss = Case(name, {}).loss
    for found, expected in zip(
        *(jax.value_and_grad(loss)(t(r), t(0)) for t in (jnp.float16, jnp.float32)), strict=True
    ):
        assert float(found) == pytest.approx(float(expected), rel=4e-3)


def test_the_complementary_log_log_bends_in_half_precision():
    curvature = jax.grad(jax.grad(losses.complementary_log_log))
    for s in (-8.0, 1.0, 8.0, 100.0):
        found, expected = (curvature(t(s), t(1)) for t in (jnp.float16, jnp.float32))
        assert float(found) == pytest.approx(float(expected), rel=1e-2, abs=1e-6)


def test_the_symmetric_percentage_error_is_flat_where_the_signs_differ():
    assert orders("symmetric_absolute_percentage_error", -1e-30, 1e-20) == (2.0, 0.0, 0.0)


def test_the_forward_correction_tells_the_classes_that_are_possible_apart():
    """However far above them one lies that is not."""
    logits, neighbours = (
        jnp.array([-1.0, 1e17, -30.0], jnp.float32),
        [[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]],
    )
    value, slope = jax.value_and_grad(losses.forward_corrected)(logits, 0, transition=jnp.array(neighbours))
    assert value == pytest.approx(1e17)
    np.testing.assert_allclose(slope, [-1.0, 1.0, 0.0], atol=1e-6)


def test_generalized_cross_entropy_is_bounded_however_far():
    logits = jnp.array([0.0, np.finfo(np.float32).min, 1.0], jnp.float32)
    assert losses.generalized_cross_entropy(logits, 1) == pytest.approx(1 / 0.7, rel=1e-6)


@pytest.mark.parametrize("score", [100.0, 1e4, 1e30])
def test_soft_margin_does_not_overflow(score):
    assert orders("logistic", score, 0.0) == (pytest.approx(score), 1.0, 0.0)
    assert orders("logistic", -score, 1.0) == (pytest.approx(score), -1.0, 0.0)


def test_logistic_of_a_confident_right_prediction_keeps_its_digits():
    value, slope, curvature = orders("logistic", 50.0, 1.0)
    assert (value, -slope, curvature) == (pytest.approx(np.exp(-50), rel=1e-5),) * 3


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("score", [0.0, 17.0, 100.0, 1e4, 3e38])
def test_focal_has_finite_derivatives_at_any_logit(gamma, score):
    for target in (0.0, 1.0):
        for sign in (-1, 1):
            value, slope, curvature = orders("focal", sign * score, target, gamma=gamma)
            assert np.isfinite([value, slope, curvature]).all()
            assert value >= 0
            assert slope * (2 * target - 1) <= 0


@pytest.mark.parametrize("centre", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("r", [1e-3, 0.7, 3.0, 8.0])
def test_general_robust_is_continuous_in_alpha(centre, r):
    middle = orders("general_robust", r, 0.0, alpha=centre)
    for beside in (-2e-7, 2e-7):
        near = orders("general_robust", r, 0.0, alpha=centre + beside)
        np.testing.assert_allclose(near, middle, rtol=3e-5, atol=1e-9)


@pytest.mark.parametrize("r", [1e-3, 0.7, 3.0, 8.0])
def test_general_robust_tends_to_its_limits(r):
    for sign in (1.0, -1.0):
        if sign > 0 and r > 3:
            continue
        limit = orders("general_robust", r, 0.0, alpha=sign * np.inf)
        np.testing.assert_allclose(orders("general_robust", r, 0.0, alpha=sign * 1e9), limit, rtol=1e-5)


def test_pseudo_huber_of_a_tiny_residual_is_half_its_square():
    assert orders("pseudo_huber", 1e-9, 0.0) == (pytest.approx(5e-19, rel=1e-6), pytest.approx(1e-9, rel=1e-6), 1.0)


def test_a_class_of_probability_0_that_does_not_occur_costs_nothing():
    p, y = single([1.0, 0.0], [1.0, 0.0])
    assert losses.categorical_cross_entropy(p, y) == 0
    np.testing.assert_array_equal(jax.grad(losses.categorical_cross_entropy)(p, y), [-1.0, 0.0])
    assert losses.categorical_cross_entropy(y[::-1], y) == jnp.inf
    assert losses.binary_cross_entropy(*single(0.0, 0.0)) == 0
    assert losses.binary_cross_entropy(*single(1.0, 1.0)) == 0
    assert losses.binary_cross_entropy(*single(1.0, 0.0)) == jnp.inf


@pytest.mark.parametrize("r", [0.0, 1e-9, 1.0, -7.0, 1e4, 1e18])
def test_huber_without_a_threshold_is_half_the_squared_error(r):
    assert orders("huber", r, 0.0, delta=jnp.inf) == orders("half_squared_error", r, 0.0)


@pytest.mark.parametrize("r", [1e30, -1e30, jnp.inf, -jnp.inf])
def test_tukey_is_flat_however_far(r):
    assert orders("tukey", r, 0.0) == (pytest.approx(losses.card(losses.tukey).supremum, rel=1e-6), 0.0, 0.0)


@pytest.mark.parametrize(
    "name", ["absolute_error", "quantile", "expectile", "huber", "tukey", "log_cosh", "general_robust"]
)
def test_the_slope_is_0_at_a_perfect_fit(name):
    value, slope, _ = orders(name, 1.5, 1.5)
    assert (value, slope) == (0.0, 0.0)


def test_the_slope_at_the_knots_is_that_of_both_sides():
    assert orders("huber", 0.3, 0.0, delta=0.3)[1] == np.float32(0.3)
    assert orders("hinge", 1.0, 1.0) == (0.0, 0.0, 0.0)
    assert orders("squared_hinge", 1.0, 1.0)[:2] == (0.0, 0.0)
    assert orders("tukey", 2.0, 0.0, c=2.0)[1] == 0.0


def test_expectile_reports_the_curvature_of_under_prediction_at_0():
    assert orders("expectile", 0.0, 0.0, level=0.25)[2] == 0.5


@pytest.mark.parametrize("a", [0.0, 1e-30, -1e-9, 1e-3])
def test_linex_passes_through_the_squared_error(a):
    np.testing.assert_allclose(orders("linex", 3e-4, 0.0, a=a), orders("squared_error", 3e-4, 0.0), rtol=1e-6)


def test_linex_is_linear_on_its_mild_side_and_overflows_no_sooner_than_it_must():
    assert orders("linex", -1e6, 0.0, a=2.0) == (pytest.approx(1e6, rel=1e-6), -1.0, 0.0)
    assert orders("linex", 9.2, 0.0, a=10.0)[0] == pytest.approx(np.exp(92.0) / 50, rel=1e-5)


def test_the_distance_of_nearly_parallel_vectors_is_not_rounded_away():
    found = losses.cosine_distance(*single([1.0, 1e-4, 0.0], [3.0, 0.0, 0.0]))
    assert found == pytest.approx(5e-9, rel=1e-6)
    assert losses.cosine_distance(*single([1e30, 0.0], [1e-30, 1e-30])) == pytest.approx(1 - 0.5**0.5, rel=1e-6)


def test_a_smoothed_quantile_keeps_its_digits_at_small_levels():
    value, slope, _ = orders("smooth_quantile", -40.0, 0.0, level=1e-3)
    assert (value, slope) == (pytest.approx(0.04, rel=1e-6), pytest.approx(-1e-3, rel=1e-6))


def test_the_logarithm_of_a_ratio_near_1_is_not_rounded_away():
    value, slope, _ = orders("squared_log_error", 1000.001, 1000.0)
    r = float(np.float32(1000.001)) - 1000
    assert value == pytest.approx((r / 1001) ** 2, rel=1e-5)
    assert slope == pytest.approx(2 * r / 1001**2, rel=1e-5)


@pytest.mark.parametrize("options", [compiling.AT_ONCE, compiling.SOONER, {}], ids=["at once", "sooner", "as usual"])
def test_sparsemax_at_a_tie_is_right_however_it_is_compiled(options):
    """A class at the threshold is kept or not, and counted as kept or not, by one rounding."""
    rng = np.random.default_rng(0)
    others = rng.uniform(-1, 1, size=(300, 1))
    # Of two classes that are kept the threshold is (z_1 + z_2 - 1)/2, where the third lies.
    z = np.concatenate([np.zeros((300, 1)), others, (others - 1) / 2], axis=1)[:, rng.permutation(3)]
    label = rng.integers(0, 3, 300)
    found = jax.jit(jax.vmap(losses.sparsemax), compiler_options=options)(z, label)
    falling = -np.sort(-z)
    tau = np.max((np.cumsum(falling, axis=1) - 1) / [1, 2, 3], axis=1)
    p = np.maximum(z - tau[:, None], 0)
    expected = np.sum((p - np.eye(3)[label]) ** 2, axis=1) / 2 + np.maximum(tau - z[np.arange(300), label], 0)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("loss", [losses.gaussian_nll, losses.student_t_nll, losses.crps_gaussian])
def test_a_hessian_at_an_exact_fit_of_no_scale_is_large_and_a_number(loss):
    hessian = jax.hessian(loss)(jnp.array([2.0, -300.0], jnp.float32), jnp.float32(2.0))
    np.testing.assert_array_equal(hessian, [[np.finfo(np.float32).max, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize(("dtype", "t"), [(np.float32, -90.0), (np.float32, -1e4), (np.float64, -800.0)])
def test_a_student_law_of_no_scale_bends_as_its_logarithm(dtype, t):
    hessian = jax.hessian(losses.student_t_nll)(jnp.array([0.1, t], dtype), dtype(0.5))
    np.testing.assert_allclose(hessian, [[-5 / 0.4**2, 0.0], [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "epsilon_insensitive", "power_error", "laplace_nll"])
def test_who_hunts_for_nan_is_not_stopped_at_a_kink(name):
    loss, size = losses.get(name), 2 if losses.claims(losses.get(name)).prediction_ndim else ()
    with jax.debug_nans(True):
        for value in (0.0, 1.0):
            for fn in (loss, jax.grad(loss)):
                assert np.all(np.isfinite(fn(jnp.full(size, value), jnp.zeros(()))))
    assert np.isnan(loss(jnp.full(size, jnp.nan), jnp.zeros(())))
