"""A user's own loss, without a card, is told the truth about itself."""

import math

import jax
import jax.numpy as jnp
import pytest

import lossopt as lo
from lossopt.properties import check


def test_a_pinball_of_ones_own():
    report = check(lambda prediction, target: jnp.maximum(0.8 * (target - prediction), 0.2 * (prediction - target)))
    assert report.elicits == "quantile at level 0.8"
    assert report.kinks == (0.0,)
    assert report.subgradients == (pytest.approx(-0.3),)
    assert (report.lipschitz, report.smoothness, report.convex) == (0.8, math.inf, True)
    assert report.noise == ("asymmetric laplace",)
    assert report.findings == ()
    assert report.agrees
    assert any("slope at a perfect fit is -0.3" in warning for warning in report.warnings)


def test_a_gradient_that_is_nan_at_0():
    report = check(lambda prediction, target: jnp.sqrt((prediction - target) ** 2))
    assert report.elicits == "median"
    assert report.kinks == (0.0,)
    assert math.isnan(report.subgradients[0])
    (warning,) = report.warnings
    assert warning.startswith("The gradient is NaN at 1 of")
    assert "residual 0:" in warning


def test_a_loss_that_returns_a_vector():
    with pytest.raises(ValueError, match=r"one number, but pair gave \(2,\): reduce inside it"):
        check(pair)


def pair(prediction, target):
    return jnp.stack([prediction, target])


def test_a_loss_that_returns_an_integer():
    with pytest.raises(ValueError, match="gave bool, which has no slope"):
        check(lambda prediction, target: prediction > target)


def test_an_asymmetric_loss():
    report = check(lambda prediction, target: jnp.expm1(prediction - target) - (prediction - target))
    assert (report.symmetric, report.convex, report.tails) == (False, True, "exponential")
    assert (report.lipschitz, report.smoothness, report.origin) == (math.inf, math.inf, 2.0)
    assert report.elicits is None
    assert report.efficiency is None


def test_a_loss_that_cancels():
    report = check(lambda prediction, target: jnp.log(jnp.cosh(prediction - target)))
    assert any(warning.startswith("Rounding leaves") for warning in report.warnings)
    assert any(warning.startswith("The second derivative is 1 at") for warning in report.warnings)
    assert (report.smoothness, report.lipschitz, report.noise) == (1.0, 1.0, ("hyperbolic secant",))


def test_a_custom_rule_that_is_wrong():
    @jax.custom_jvp
    def square(r):
        return r * r

    square.defjvp(lambda primals, tangents: (square(*primals), 2.02 * primals[0] * tangents[0]))
    report = check(lambda prediction, target: square(prediction - target))
    assert report.gradient_error == pytest.approx(0.0099, rel=0.01)
    assert any("a custom derivative rule or a stop_gradient is wrong" in warning for warning in report.warnings)


def test_a_rule_that_is_told_backwards_alone():
    half_square = jax.custom_vjp(lambda p, t: (p - t) ** 2 / 2)
    half_square.defvjp(lambda p, t: (half_square(p, t), p - t), lambda r, g: (g * r, -g * r))
    report = check(half_square)
    assert (report.smoothness, report.least_curvature, report.gradient_error < 1e-6) == (1.0, 1.0, True)


def test_a_stopped_gradient():
    report = check(
        lambda prediction, target: jax.lax.stop_gradient(jnp.abs(prediction - target)) * jnp.abs(prediction - target)
    )
    assert report.gradient_error == pytest.approx(0.5, rel=0.01)


# Loss of a residual -> supremum, Lipschitz constant, greatest and least curvature.
OSCILLATING = {
    "of an angle": (lambda r: 1 - jnp.cos(r), 2.0, 1.0, 1.0, -1.0),
    "fast": (lambda r: 1 - jnp.cos(1000 * r), 2.0, 1e3, 1e6, -1e6),
    "with a slope": (jnp.sin, 1.0, 1.0, 1.0, -1.0),
    "on a bowl": (lambda r: r**2 + 0.1 * jnp.sin(3 * r) ** 2, math.inf, math.inf, 3.8, 0.2),
    "on a cone": (lambda r: jnp.abs(r) + 0.1 * (1 - jnp.cos(r)), math.inf, 1.1, math.inf, -0.1),
}


@pytest.mark.parametrize("name", OSCILLATING)
def test_a_loss_that_oscillates_is_measured_and_not_accused(name):
    loss, *expected = OSCILLATING[name]
    report = check(lambda prediction, target: loss(prediction - target))
    found = [report.supremum, report.lipschitz, report.smoothness, report.least_curvature]
    assert found == pytest.approx(expected, rel=1e-6)
    assert (report.gradient_error, report.curvature_error) == (0.0, 0.0)
    assert not any("wrong" in warning or "do not use it" in warning for warning in report.warnings)


def test_a_wrong_rule_of_a_loss_that_oscillates_is_found():
    @jax.custom_jvp
    def bent(r):
        return 1 - jnp.cos(r)

    bent.defjvp(lambda primals, tangents: (bent(*primals), 1.01 * jnp.sin(primals[0]) * tangents[0]))
    report = check(lambda prediction, target: bent(prediction - target))
    assert report.gradient_error == pytest.approx(0.0099, rel=0.01)
    assert any("a custom derivative rule or a stop_gradient is wrong" in warning for warning in report.warnings)


def test_a_loss_that_is_not_0_or_not_least_at_the_target():
    report = check(lambda prediction, target: (prediction - target - 0.5) ** 2 + 1.0)
    assert not report.zero_at_perfect_fit
    assert report.infimum == 1.0
    assert any("not 0 when the prediction equals the target" in warning for warning in report.warnings)
    assert any("less (1) at residual 0.5" in warning for warning in report.warnings)


def test_a_loss_with_a_step():
    report = check(lambda prediction, target: jnp.where(jnp.abs(prediction - target) > 1, 1.0, 0.0))
    assert report.warnings == ("The loss jumps at -1, 1: no gradient sees the step.",)
    assert (report.bounded, report.redescending, report.supremum) == (True, True, 1.0)


@pytest.mark.parametrize("size", [0.01, 100.0])
@pytest.mark.parametrize("at", [0.0, 0.5, 3.0])
def test_a_step_is_seen_on_a_slope(size, at):
    report = check(lambda p, y: (p - y) ** 2 + jnp.where(p - y > at, size, 0.0))
    assert f"The loss jumps at {at:g}: no gradient sees the step." in report.warnings
    assert (report.least_curvature, report.smoothness, report.convex) == (-math.inf, math.inf, False)


def test_a_loss_with_a_concave_kink():
    report = check(lambda prediction, target: jnp.minimum((prediction - target) ** 2, 4.0))
    assert report.kinks == (-2.0, 2.0)
    assert (report.least_curvature, report.smoothness, report.supremum) == (-math.inf, 2.0, 4.0)
    assert (report.lipschitz, report.tails) == (4.0, "constant")


def test_a_loss_that_depends_on_more_than_the_residual():
    report = check(lambda prediction, target: jnp.abs(prediction - target) / (1 + jnp.abs(target)))
    assert report.noise == ()
    assert report.efficiency is None
    assert report.lipschitz == 1.0
    assert report.elicits is None


def test_powers():
    def power(prediction, target, *, p):
        size = jnp.abs(prediction - target)
        return jnp.where(size == 0, 0.0, jnp.where(size == 0, 1.0, size) ** p)

    report = check(lo.bind(power, p=1.5))
    assert (report.origin, report.tails, report.kinks) == (1.5, "power", ())
    assert (report.lipschitz, report.smoothness, report.least_curvature) == (math.inf, math.inf, 0.0)
    assert check(lo.bind(power, p=3.0)).origin == 3.0


def test_binary_losses_of_ones_own():
    exponential = check(lambda s, y: jnp.exp(-(2 * y - 1) * s), task="binary")
    assert (exponential.tails, exponential.calibrated, exponential.proper) == ("exponential", True, False)
    sigmoid = check(lambda s, y: jax.nn.sigmoid(-(2 * y - 1) * s), task="binary")
    assert (sigmoid.noise_symmetric, sigmoid.bounded, sigmoid.redescending) == (True, True, True)
    assert sigmoid.lipschitz == pytest.approx(0.25, rel=1e-9)
    assert sigmoid.smoothness == pytest.approx(math.sqrt(3) / 18, rel=1e-9)
    brier = check(lambda p, y: (p - y) ** 2, task="binary", prediction="probability")
    assert (brier.elicits, brier.proper, brier.lipschitz) == ("probability", True, 2.0)


def test_multiclass_losses_of_ones_own():
    def crammer_singer(z, y):
        others = jnp.where(jnp.arange(z.size, dtype=y.dtype) == y, -jnp.inf, z)
        return jnp.maximum(0.0, 1 + jnp.max(others) - z[y])

    report = check(crammer_singer, task="multiclass")
    assert (report.kinks, report.tails, report.zero_at_perfect_fit) == ((1.0,), "linear", True)
    assert report.lipschitz == pytest.approx(math.sqrt(2), rel=1e-11)
    # It is not consistent where no class has half of the probability.
    assert not report.calibrated
    report = check(
        lambda z, y: jnp.sum((jax.nn.softmax(z) - jax.nn.one_hot(y, 4, dtype=z.dtype)) ** 2),
        task="multiclass",
        classes=4,
    )
    assert (report.proper, report.calibrated, report.supremum, report.convex) == (True, True, 2.0, False)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("loss", [lambda p, t: jnp.abs(p - t) ** 0.5, lambda p, t: p - t * jnp.log(p)])
def test_what_is_infinite_or_no_number_is_measured_in_silence(loss):
    assert check(loss, task="regression").warnings


def test_an_unknown_task_meets_its_nearest_match():
    with pytest.raises(ValueError, match="Did you mean 'regression'"):
        check(lambda p, t: p, task="regresion")
    with pytest.raises(ValueError, match="No measurement for prediction='logit' and target='real'"):
        check(lambda p, t: p, task="binary", target="real")
