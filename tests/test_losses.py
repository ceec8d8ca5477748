"""The numerics contract: every loss, at every setting, against 60 digits and more on an extreme grid."""

import jax
import jax.numpy as jnp
import numerics
import numpy as np
import oracle
import pytest
from cases import Case, CASES, of
from hypothesis import given, strategies as st

import lossopt as lo
from lossopt import losses


SINGLE, DOUBLE = np.float32, np.float64
SCALARS = [case for case in CASES if case.card.prediction_ndim == 0]
VECTORS = [case for case in CASES if case.card.prediction_ndim == 1]
DEFAULTS = [case for case in CASES if case is next(other for other in CASES if other.name == case.name)]

dtypes = pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=["float32", "float64"])


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=str)


def refute(found, dtype):
    """Fail with the worst errors, one of each order."""
    worst = {}
    for error in found:
        assert not np.isnan(error.found), error
        if error.order not in worst or error.excess > worst[error.order].excess:
            worst[error.order] = error
    assert len(worst) == len(numerics.Orders._fields)
    bad = [str(error) for error in worst.values() if not error.excess < numerics.RTOL[dtype]]
    assert not bad, "\n".join(bad)


def test_every_registered_loss_has_a_case():
    assert {case.name for case in CASES} == set(losses.names())


@dtypes
@each(SCALARS)
def test_value_slope_and_curvature_are_exact(case, dtype):
    refute(numerics.errors(case, dtype), dtype)


@dtypes
@each(VECTORS)
def test_value_gradient_and_hessian_are_exact(case, dtype):
    refute(numerics.vector_errors(case, dtype), dtype)


@jax.jit
def _first_order(loss, predictions, targets):
    return jax.vmap(jax.value_and_grad(loss))(predictions, targets)


@each([case for case in DEFAULTS if case.card.hyperparameters])
def test_what_is_left_at_its_default_changes_nothing(case):
    # A bound number is traced and a default is not: two programmes.
    predictions, targets = _points(case, SINGLE)
    plain = _first_order(jax.tree_util.Partial(losses.get(case.name)), predictions, targets)
    bound = numerics.everything(Case(case.name, {}).loss, predictions, targets)
    for left, right in zip(plain, bound, strict=False):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


@each([case for case in CASES if case.card.non_negative])
def test_a_loss_is_never_negative(case):
    for dtype in (SINGLE, DOUBLE):
        assert np.nanmin(numerics.everything(case.loss, *_points(case, dtype)).value) >= 0


@each(SCALARS)
def test_the_largest_numbers_give_no_nan_and_infinity_gives_the_limit(case):
    if case.card.prediction == "probability":
        pytest.skip("a probability has no infinity")
    largest = np.finfo(SINGLE).max
    sides = np.array([largest, -largest, np.inf, -np.inf], SINGLE)
    if case.card.prediction == "above -1":
        sides = np.repeat(sides[::2], 2)
    hard = {"real": (0.0,), "non-zero": (1.0, -2.0), "positive": (1.0,)}.get(case.card.target, (0.0, 1.0))
    for target in hard:
        found = numerics.everything(case.loss, sides, np.full_like(sides, target))
        assert not any(np.isnan(order[:2]).any() for order in found)
        assert not any(np.isnan(order).any() for order in found[:3])
        far = numerics.everything(case.loss, sides[:2] * SINGLE(1e-8), np.full_like(sides[:2], target)).value
        settled = far if case.card.task == "count" else np.where(far < 1e-6, 0.0, case.card.supremum)
        limit = np.where(np.abs(far) > 1e6, np.copysign(np.inf, far), settled)
        if case.card.tails != "logarithmic":
            np.testing.assert_allclose(found.value[2:], limit, rtol=1e-5)


@each(CASES)
def test_nan_in_gives_nan_out(case):
    predictions, targets = _points(case, SINGLE)
    for prediction, target in (
        (np.full_like(predictions[:1], np.nan), targets[:1]),
        (predictions[:1], _nan_like(targets[:1])),
    ):
        if target is not None:
            found = numerics.everything(case.loss, prediction, target)
            assert np.isnan(found.value).all()
            assert np.isnan(found.reverse).all()
            assert np.isnan(found.forward).all()


def _nan_like(targets):
    return None if np.issubdtype(targets.dtype, np.integer) else np.full_like(targets, np.nan)


ILLEGAL = {
    "binary": [-1.0, 0.5, 2.0],
    "unit": [-1.0, 1.5, -1e-6],
    "label": [-1, 3, 100],
    "simplex": [[-0.1, 0.6, 0.5], [0.0, np.nan, 1.0]],
    "non-zero": [0.0],
    "non-negative": [-1.0, -1e-6],
    "positive": [-1.0, 0.0],
    "successes": [-1.0, 10.1],
    "direction": [[0.0, 0.0, 0.0]],
}


@each([case for case in CASES if case.card.target in ILLEGAL])
def test_an_illegal_target_gives_nan(case):
    predictions, targets = _points(case, SINGLE)
    illegal = np.array(ILLEGAL[case.card.target]).astype(targets.dtype)
    predictions = np.repeat(predictions[3:4], len(illegal), axis=0)
    found = numerics.everything(case.loss, predictions, illegal)
    assert np.isnan(found.value).all()
    assert np.isnan(found.reverse).all()


@each([case for case in CASES if "probabilit" in case.card.prediction])
def test_a_probability_outside_the_unit_interval_gives_nan(case):
    predictions, targets = _points(case, SINGLE)
    for wrong in (-0.1, 1.1):
        found = numerics.everything(case.loss, np.full_like(predictions[:3], wrong), targets[:3])
        assert np.isnan(found.value).all()
        assert np.isnan(found.reverse).all()


@each(DEFAULTS)
def test_one_example_without_jit_gives_the_same(case):
    predictions, targets = _points(case, DOUBLE)
    i = 3 * len(predictions) // 5
    found = numerics.everything(case.loss, predictions[i : i + 1], targets[i : i + 1])
    value, slope = jax.value_and_grad(case.loss)(predictions[i], targets[i])
    np.testing.assert_allclose(value, found.value[0], rtol=1e-14)
    np.testing.assert_allclose(slope, found.reverse[0], rtol=1e-13, atol=1e-300)


@each(DEFAULTS)
def test_bfloat16_is_finite_and_points_the_same_way(case):
    predictions, targets = _points(case, SINGLE)
    keep = np.abs(np.nan_to_num(predictions.reshape(len(predictions), -1))).max(axis=1) <= 1e4
    predictions, targets = predictions[keep], targets[keep]
    half = jnp.asarray(predictions, jnp.bfloat16)
    soft = targets if np.issubdtype(targets.dtype, np.integer) else jnp.asarray(targets, jnp.bfloat16)
    value, slope = (np.asarray(x).astype(float) for x in _first_order(case.loss, half, soft))
    # What the loss makes of its numbers in that type: a knot moves with them.
    loss = jax.tree.map(lambda leaf: float(jnp.bfloat16(leaf)) if isinstance(leaf, float) else leaf, case.loss)
    exact = numerics.everything(loss, np.asarray(half).astype(SINGLE), np.asarray(soft).astype(targets.dtype))
    finite = np.isfinite(exact.value)
    assert np.isfinite(value[finite]).all()
    assert (value[finite] >= 0).all() or not case.card.non_negative
    plain = np.abs(exact.reverse) > 1e-2 * np.abs(exact.reverse[np.isfinite(exact.reverse)]).max()
    assert (np.sign(slope[plain]) == np.sign(exact.reverse[plain])).all()
    np.testing.assert_allclose(value[finite], exact.value[finite], rtol=0.05, atol=0.05)


def _points(case, dtype):
    return (numerics.vector_points if case.card.prediction_ndim else numerics.points)(*_arguments(case, dtype))


def _arguments(case, dtype):
    return (case.card if case.card.prediction_ndim else case), dtype


@pytest.mark.parametrize("name", ["log_cosh", "pseudo_huber", "cauchy", "tukey", "logistic"])
def test_the_third_derivative_is_that_of_the_formula(name):
    # Beyond the contract of two: what a hyperparameter's effect on the curvature is made of.
    case = next(case for case in DEFAULTS if case.name == name)
    third = jax.jit(jax.grad(jax.grad(jax.grad(case.loss))))
    for x in (0.3, -1.7):
        expected = oracle.truth(name, x, 0.0, numerics.settings(case, DOUBLE))[3]
        assert float(third(x, 0.0)) == pytest.approx(float(expected), rel=1e-12)


LIMITS = {
    "huber": [("half_squared_error", {"delta": np.inf}), ("half_squared_error", {"delta": 1e30})],
    "quantile": [("absolute_error", {"level": 0.5})],
    "expectile": [("squared_error", {"level": 0.5})],
    "smooth_quantile": [("quantile", {"bandwidth": 1e-3})],
    "epsilon_insensitive": [("absolute_error", {"epsilon": 0.0})],
    "squared_epsilon_insensitive": [("squared_error", {"epsilon": 0.0})],
    "linex": [("squared_error", {"a": 0.0})],
    "power_error": [("absolute_error", {"p": 1.0}), ("squared_error", {"p": 2.0})],
    "student_t": [("cauchy", {}), ("half_squared_error", {"df": np.inf})],
    "general_robust": [("half_squared_error", {"alpha": 2.0}), ("pseudo_huber", {"alpha": 1.0})],
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_a_hyperparameter_is_another_loss(name):
    r = jnp.linspace(-9.0, 9.0, 128)
    for other, setting in LIMITS[name]:
        factor = 0.5 if name in ("quantile", "expectile") else 1.0
        left = numerics.everything(
            lo.bind(losses.get(name), **(losses.hyperparameters(losses.get(name)) | setting)), r, 0 * r
        )
        right = numerics.everything(jax.tree_util.Partial(losses.get(other)), r, 0 * r)
        for a, b in zip(left, right, strict=True):
            np.testing.assert_allclose(a, factor * b, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "alpha", "scale"), [("cauchy", 0.0, 0.5**0.5), ("geman_mcclure", -2.0, 0.5), ("welsch", -np.inf, 0.5**0.5)]
)
def test_a_case_of_general_robust_is_its_namesake(name, alpha, scale):
    r = np.linspace(-9.0, 9.0, 128)
    left = numerics.everything(lo.bind(losses.get(name), c=1.5), r, 0 * r)
    right = numerics.everything(lo.bind(losses.general_robust, alpha=alpha, c=1.5 * scale), r, 0 * r)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, (1.5 * scale) ** 2 * b, rtol=1e-12, atol=1e-15)


@jax.jit
def _by_hyperparameters(loss, predictions, targets):
    # allow_int for labels that a user's loss may hold; the leaves of a bound loss are its hyperparameters.
    return jax.vmap(jax.grad(lambda loss, p, t: loss(p, t)), (None, 0, 0))(loss, predictions, targets)


@each([case for case in CASES if all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(case.loss)[:1] or [np.nan])])
def test_hyperparameters_have_finite_gradients(case):
    predictions, targets = _points(case, DOUBLE)
    small = np.abs(np.nan_to_num(predictions.reshape(len(predictions), -1), neginf=1e9)).max(axis=1) <= 1e4
    loss = jax.tree.map(lambda value: jnp.asarray(value, float), case.loss)
    values = case.loss if case.card.prediction_ndim else None
    found = _by_hyperparameters(loss, predictions[small], targets[small])
    finite = np.isfinite(numerics.everything(values or case.loss, predictions[small], targets[small]).value)
    for slope in jax.tree.leaves(found):
        assert np.isfinite(np.asarray(slope)[finite]).all()


_by_alpha = jax.jit(jax.grad(lambda alpha, r: losses.general_robust(r, 0.0, alpha=alpha)))


@pytest.mark.parametrize("alpha", [-3.0, -1e-7, 0.0, 1e-4, 0.7, 1.5, 1.9, 2.3, 5.0])
def test_the_derivative_of_general_robust_in_alpha(alpha):
    for r in (1e-3, 0.4, 1.0, 3.0, 50.0):
        with oracle.mp.workdps(80):
            step, centre = oracle.mpf(10) ** -20, oracle.mpf(alpha)
            at = [oracle.truth("general_robust", r, 0.0, {"alpha": centre + s, "c": 1.0})[0] for s in (-step, step)]
            expected = (at[1] - at[0]) / (2 * step)
        assert float(_by_alpha(alpha, r)) == pytest.approx(float(expected), rel=1e-9)


reals = st.floats(-1e4, 1e4, width=32)


@given(st.sampled_from([case for case in of(task="regression") if case.card.prediction_ndim == 0]), reals, reals)
def test_regression_losses_are_finite_and_not_negative(case, prediction, target):
    if case.card.tails == "exponential":
        prediction, target = prediction / 1e3, target / 1e3
    if case.card.target == "non-negative":
        prediction, target = abs(prediction), abs(target)
    if case.card.target == "non-zero":
        target = target or 1.0
    found = numerics.everything(case.loss, np.array([prediction]), np.array([target]))
    assert np.isfinite(found.value[0])
    assert found.value[0] >= 0
    assert np.isfinite(found.reverse[0])
    # Where the minimum is at the target, the slope has the sign of the residual.
    assert found.reverse[0] * (prediction - target) >= 0 or not case.card.zero_at_perfect_fit


@given(
    st.sampled_from([case for case in SCALARS if case.card.convex]),
    st.lists(reals, min_size=2, max_size=30),
    st.sampled_from([0.0, 1.0]),
)
def test_the_slope_of_a_convex_loss_never_falls(case, predictions, target):
    x = np.sort(np.array(predictions))
    if case.card.prediction == "probability":
        x = (x - x.min()) / max(np.ptp(x), 1e-3)
    slope = numerics.everything(case.loss, x, np.full_like(x, target)).reverse
    slope = slope[np.isfinite(slope)]
    assert (np.diff(slope) >= -1e-12 * (1 + np.abs(slope[:-1]))).all()


@given(
    st.sampled_from(of(task="multiclass")), st.lists(st.floats(-100, 100), min_size=3, max_size=3), st.integers(0, 2)
)
def test_multiclass_losses_are_finite_and_not_negative(case, scores, label):
    prediction = np.array([scores])
    if case.card.prediction == "probabilities":
        weights = np.exp(prediction / 10)
        prediction = weights / weights.sum()
    target = np.array([label]) if case.card.target == "label" else np.eye(3)[[label]]
    found = numerics.everything(case.loss, prediction, target)
    assert np.isfinite(found.value[0])
    assert found.value[0] >= 0
    assert np.isfinite(found.reverse[0]).all()
