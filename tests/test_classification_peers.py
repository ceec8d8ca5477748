"""Classification losses beside other libraries, and beside each other where one is a case of another."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import scipy.stats
import sklearn._loss.loss
import sklearn.metrics
import statsmodels.genmod.families.links as links

import lossopt as lo
from lossopt import losses


RANDOM = np.random.default_rng(1)
SCORES = np.concatenate([3 * RANDOM.normal(size=40), [0.0, 1.0, -1.0, 0.5]])
SIDES = (np.arange(SCORES.size) % 2).astype(float)
LOGITS, CLASSES = 3 * RANDOM.normal(size=(40, 4)), np.arange(40) % 4
SHARES = np.concatenate([RANDOM.dirichlet(np.ones(4), 36), np.eye(4)])


@jax.jit
def _batch(loss, predictions, targets):
    return jax.vmap(jax.value_and_grad(loss))(predictions, targets)


def ours(name, predictions, targets, **setting):
    """Values and slopes of a batch."""
    return tuple(np.asarray(x) for x in _batch(lo.bind(losses.get(name), **setting), predictions, targets))


def _signs(theirs):
    return lambda scores, sides: theirs(scores, 2 * sides - 1)


def _one_hot(theirs, **setting):
    return lambda logits, classes: theirs(logits, jax.nn.one_hot(classes, 4, dtype=logits.dtype), **setting)


def _brier(scores, sides):
    return (scipy.special.expit(scores) - sides) ** 2


def _probit(scores, sides):
    return -scipy.stats.norm.logcdf((2 * sides - 1) * scores)


def _complementary(scores, sides):
    p = links.CLogLog().inverse(scores)
    return -scipy.special.xlogy(sides, p) - scipy.special.xlog1py(1 - sides, -p)


def _kl(logits, shares):
    return scipy.special.rel_entr(shares, scipy.special.softmax(logits, axis=1)).sum(axis=1)


BINARY = [
    ("perceptron", _signs(optax.losses.perceptron_loss)),
    ("exponential", lambda s, y: sklearn._loss.loss.ExponentialLoss().loss(y_true=y, raw_prediction=s)),
    ("brier", _brier),
    ("probit", _probit),
    ("complementary_log_log", _complementary),
]
MULTICLASS = [
    ("poly1", {"epsilon": 0.7}, _one_hot(optax.losses.poly_loss_cross_entropy, epsilon=0.7)),
    ("categorical_focal", {"gamma": 0.0}, optax.losses.softmax_cross_entropy_with_integer_labels),
]


@pytest.mark.parametrize(("name", "theirs"), BINARY)
def test_binary_losses_elsewhere(name, theirs):
    expected = np.asarray(theirs(SCORES, SIDES))
    # Beyond, theirs rounds the probability to 1.
    near = np.abs(SCORES) < (1.5 if name == "complementary_log_log" else 100)
    np.testing.assert_allclose(ours(name, SCORES, SIDES)[0][near], expected[near], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize(("name", "setting", "theirs"), MULTICLASS)
def test_multiclass_losses_elsewhere(name, setting, theirs):
    expected = np.asarray(theirs(jnp.asarray(LOGITS), jnp.asarray(CLASSES)))
    np.testing.assert_allclose(ours(name, LOGITS, CLASSES, **setting)[0], expected, rtol=1e-11)


def test_kl_divergence_is_that_of_scipy_and_of_optax():
    value = ours("kl_divergence", LOGITS, SHARES)[0]
    np.testing.assert_allclose(value, _kl(LOGITS, SHARES), rtol=1e-11)
    theirs = optax.losses.kl_divergence(jax.nn.log_softmax(jnp.asarray(LOGITS)), jnp.asarray(SHARES))
    np.testing.assert_allclose(value, theirs, rtol=1e-11)


def test_kl_divergence_is_0_where_the_logits_state_the_target():
    # The textbook's difference of two entropies is off by 1e-16 there, and may be negative.
    stated = np.log(SHARES[:36])
    value, slope = ours("kl_divergence", stated, SHARES[:36])
    assert (value >= 0).all()
    assert value.max() < 1e-29
    np.testing.assert_allclose(slope, 0.0, atol=1e-15)


def test_scikit_learn_metrics_of_classification():
    hinge = sklearn.metrics.hinge_loss(CLASSES, LOGITS, labels=np.arange(4))
    assert ours("crammer_singer", LOGITS, CLASSES)[0].mean() == pytest.approx(hinge)
    brier = sklearn.metrics.brier_score_loss(SIDES, scipy.special.expit(SCORES))
    assert ours("brier", SCORES, SIDES)[0].mean() == pytest.approx(brier)


def test_the_binary_losses_of_scikit_learn_by_gradient_descent():
    fast = pytest.importorskip("sklearn.linear_model._sgd_fast")
    value = ours("modified_huber", SCORES, SIDES)[0]
    theirs = fast.ModifiedHuber()
    if hasattr(theirs, "py_loss"):
        expected = [theirs.py_loss(s, 2 * y - 1) for s, y in zip(SCORES, SIDES, strict=True)]
        np.testing.assert_allclose(value, expected, rtol=1e-12)


# A loss, and another that it is at this setting: name, setting, the score's factor, and the factor of the whole.
TWINS = [
    ("modified_huber", {}, "smoothed_hinge", {"width": 2.0}, 1.0, 4.0),
    ("savage", {}, "brier", {}, 2.0, 1.0),
    ("smoothed_hinge", {"width": 1e-13}, "hinge", {}, 1.0, 1.0),
]
# Two classes: a loss of the logits [s, 0] is a binary loss of s.
HALVES = [
    ("crammer_singer", {}, "hinge", {}, 1.0),
    ("weston_watkins", {}, "hinge", {}, 1.0),
    ("multiclass_perceptron", {}, "perceptron", {}, 1.0),
    ("sparsemax", {}, "smoothed_hinge", {"width": 2.0}, 1.0),
    ("categorical_focal", {"gamma": 1.5}, "focal", {"gamma": 1.5}, 1.0),
    ("multiclass_brier", {}, "brier", {}, 2.0),
    ("absolute_probability_error", {}, "sigmoid_margin", {}, 2.0),
]
# The same loss of any number of classes.
CASES = [
    ("poly1", {"epsilon": 0.0}, "softmax_cross_entropy", 1.0),
    ("categorical_focal", {"gamma": 0.0}, "softmax_cross_entropy", 1.0),
    ("generalized_cross_entropy", {"q": 0.0}, "softmax_cross_entropy", 1.0),
    ("generalized_cross_entropy", {"q": 1.0}, "absolute_probability_error", 0.5),
    ("symmetric_cross_entropy", {"alpha": 1.0, "beta": 0.0}, "softmax_cross_entropy", 1.0),
    ("symmetric_cross_entropy", {"alpha": 0.0, "log_zero": -2.0}, "absolute_probability_error", 1.0),
    ("forward_corrected", {}, "softmax_cross_entropy", 1.0),
    ("forward_corrected", {"transition": np.eye(4)}, "softmax_cross_entropy", 1.0),
]


@pytest.mark.parametrize(("name", "setting", "other", "same", "stretch", "factor"), TWINS)
def test_a_binary_loss_is_another(name, setting, other, same, stretch, factor):
    left, right = ours(name, SCORES, SIDES, **setting), ours(other, stretch * SCORES, SIDES, **same)
    np.testing.assert_allclose(left[0], factor * right[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(left[1], factor * stretch * right[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "setting", "other", "same", "factor"), HALVES)
def test_of_two_classes_it_is_a_binary_loss(name, setting, other, same, factor):
    value, slope = ours(name, np.stack([0 * SCORES, SCORES], axis=1), SIDES.astype(int), **setting)
    expected, rate = ours(other, SCORES, SIDES, **same)
    np.testing.assert_allclose(value, factor * expected, rtol=1e-12)
    np.testing.assert_allclose(slope, factor * np.stack([-rate, rate], axis=1), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(("name", "setting", "other", "factor"), CASES)
def test_a_multiclass_loss_is_another(name, setting, other, factor):
    left, right = ours(name, LOGITS, CLASSES, **setting), ours(other, LOGITS, CLASSES)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, factor * b, rtol=1e-12)


def test_one_versus_rest_is_a_sum_of_logistic_losses():
    each = ours("logistic", LOGITS.ravel(), np.eye(4)[CLASSES].ravel())[0].reshape(-1, 4)
    np.testing.assert_allclose(ours("one_versus_rest", LOGITS, CLASSES)[0], each.sum(axis=1), rtol=1e-13)


def test_of_equal_rivals_the_first_is_pulled_down():
    for name in ("crammer_singer", "multiclass_perceptron"):
        _, slope = ours(name, np.zeros((1, 4)), np.array([1]))
        np.testing.assert_array_equal(slope, [[1.0, -1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(ours("weston_watkins", np.zeros((1, 4)), np.array([1]))[1], [[1.0, -3.0, 1.0, 1.0]])


def test_the_perceptron_learns_from_a_tie_and_the_ramp_from_no_knot():
    assert ours("perceptron", np.zeros(2), np.array([0.0, 1.0]))[1].tolist() == [1.0, -1.0]
    assert ours("ramp", np.array([1.0, -1.0]), np.ones(2))[1].tolist() == [0.0, 0.0]


def test_optax_has_sparsemax():
    with jax.numpy_dtype_promotion("standard"):
        theirs = optax.losses.multiclass_sparsemax_loss(jnp.asarray(LOGITS), jnp.asarray(CLASSES))
    np.testing.assert_allclose(ours("sparsemax", LOGITS, CLASSES)[0], theirs, rtol=1e-12, atol=1e-13)


def test_sparsemax_is_0_from_a_margin_of_1_on():
    value, slope = ours("sparsemax", np.array([[1.0, 0.0, 0.0], [5.0, 4.0, -np.inf]]), np.array([0, 0]))
    np.testing.assert_array_equal(value, 0.0)
    np.testing.assert_array_equal(slope, 0.0)


def _negentropy(p):
    return jnp.sum(jnp.where(p == 0, 0.0, p * jnp.log(jnp.where(p == 0, 1.0, p))))


def test_fenchel_young_of_the_entropy_is_the_divergence():
    loss = losses.fenchel_young(_negentropy, jax.nn.logsumexp)
    value, slope = jax.vmap(jax.value_and_grad(loss))(LOGITS, SHARES)
    expected = ours("kl_divergence", LOGITS, SHARES)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(slope, expected[1], atol=1e-14)
    label = jax.vmap(loss)(LOGITS, CLASSES)
    np.testing.assert_allclose(label, ours("softmax_cross_entropy", LOGITS, CLASSES)[0], rtol=1e-12, atol=1e-14)


def _half_square_conjugate(z):
    falling, place = -jnp.sort(-z), jnp.arange(1.0, z.size + 1)
    kept = 1 + place * falling > jnp.cumsum(falling)
    tau = (jnp.sum(jnp.where(kept, falling, 0.0)) - 1) / jnp.sum(kept.astype(z.dtype))
    p = jnp.maximum(z - tau, 0.0)
    return jnp.sum(p * z) - 0.5 * jnp.sum(p * p)


def test_fenchel_young_of_half_the_square_is_sparsemax():
    loss = losses.fenchel_young(lambda p: 0.5 * jnp.sum(p * p), _half_square_conjugate)
    value, slope = jax.vmap(jax.value_and_grad(loss))(LOGITS, CLASSES)
    expected = ours("sparsemax", LOGITS, CLASSES)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(slope, expected[1], atol=1e-14)


def test_fenchel_young_knows_its_arguments():
    loss = losses.fenchel_young(_negentropy, jax.nn.logsumexp)
    assert np.isnan(loss(jnp.zeros(3), 3))
    assert np.isnan(loss(jnp.zeros(3), jnp.array([-0.5, 1.0, 0.5])))
    with pytest.raises(TypeError, match="integer class label"):
        loss(jnp.zeros(3), 1.0)
    assert lo.check(loss, task="multiclass").proper


def test_a_transition_matrix_must_fit_the_logits():
    with pytest.raises(ValueError, match=r"needs shape \(3, 3\), not \(2, 2\)"):
        losses.forward_corrected(jnp.zeros(3), 0, transition=np.eye(2))


@pytest.mark.parametrize("score", [-1e4, -40.0, 40.0, 1e4])
def test_probit_keeps_its_digits_in_both_tails(score):
    for dtype, rtol in ((jnp.float32, 1e-5), (jnp.float64, 1e-12)):
        expected = -scipy.special.log_ndtr(score)
        found = losses.probit(dtype(score), 1)
        assert float(found) == pytest.approx(expected if expected > jnp.finfo(dtype).tiny else 0.0, rel=rtol)
