"""Derivatives in the target and the hyperparameters where these are 0 or 1, against differences to one side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Case, CASES, CLEAN

from lossopt import losses


STEPS = (1e-3, 1e-4)
# The derivative at the first of five points, from their values: off by the fourth power of the step.
STENCIL = np.array([-25.0, 48.0, -36.0, 16.0, -3.0]) / 12

PREDICTIONS = {
    "above -1": [0.3, 1.7],
    "probability": [0.3, 0.9],
    "probabilities": [[0.2, 0.3, 0.5]],
    "location and log scale": [[0.3, -0.2]],
    "interval": [[0.2, 0.9]],
    "logits": [[0.5, -1.0, 2.0]],
    "vector": [[0.5, -1.0, 2.0]],
}
TARGETS = {"label": [0, 2], "simplex": [[1.0, 0.0, 0.0]], "direction": [[1.0, 0.0, 0.0]]}
VECTORS = {"class_weights": [(0.0, 1.0, 1.0), (1.0, 0.0, 0.0)], "transition": [CLEAN]}

# Where differences have no limit: a logarithm of the target or of |alpha - 2|, and a switch.
DEVIANCES = ("poisson", "negative_binomial", "binomial", "gamma", "inverse_gaussian", "tweedie")
UNBOUNDED = {
    "general_robust": {"alpha"},
    "kl_divergence": {"target"},
    **{name: {"target", "trials", "full"} for name in DEVIANCES},
}


def _settings(name):
    """The loss at its defaults, at each edge of each hyperparameter, and at every setting of the table of cases."""
    interval = losses.claims(losses.get(name)).hyperparameters
    edges = [{key: at} for key in interval for at in VECTORS.get(key, [0.0, 1.0]) if interval[key].contains(at)]
    known = [case.hyperparameters for case in CASES if case.name == name]
    return [Case(name, setting) for setting in ({}, *edges, *known)]


def _moves(loss, target):
    """What can be moved by itself: its name, how far in the hyperparameters and the target, and to which side."""
    still = jax.tree.map(np.zeros_like, loss)
    floating = np.issubdtype(target.dtype, np.floating)
    domain = losses.claims(loss).hyperparameters
    for name, value in still.keywords.items():
        for at in np.ndindex(np.shape(value)) if value is not None else ():
            here, move = np.array(loss.keywords[name], float), np.zeros(np.shape(value))
            move[at] = 1.0 if domain[name].contains(here[at] + 1e-9) else -1.0
            if np.isfinite(here[at]):
                yield (
                    name,
                    jax.tree_util.Partial(still.func, **(still.keywords | {name: move})),
                    np.zeros_like(target) if floating else None,
                )
    if floating:
        for at in np.ndindex(target.shape):
            move = np.zeros(target.shape)
            move[at] = 1.0 if target[at] < 1 else -1.0
            yield "target", still, move


@jax.jit
def _along(loss, prediction, target, by_loss, by_target):
    """The derivative along a direction: by reverse mode, and by differences of either step."""

    def at(step):
        moved = jax.tree.map(lambda value, way: value + step * way, loss, by_loss)
        return moved(prediction, target if by_target is None else target + step * by_target)

    return jax.grad(at)(0.0), *(STENCIL @ jax.vmap(at)(step * jnp.arange(5.0)) / step for step in STEPS)


@pytest.mark.parametrize("name", losses.names())
def test_derivatives_at_an_edge_are_those_beside_it(name):
    size = 7 if "coverages" in losses.claims(losses.get(name)).hyperparameters else 3
    predictions = PREDICTIONS | {"quantiles": [np.linspace(-0.4, 0.9, size)]}
    for case in _settings(name):
        loss = jax.tree.map(lambda value: np.asarray(value, float), case.loss)
        for target in map(np.asarray, TARGETS.get(case.card.target, [0.0, 1.0])):
            for what, *move in _moves(loss, target):
                for prediction in map(np.asarray, predictions.get(case.card.prediction, [0.3, -1.7])):
                    found, coarse, fine = map(float, _along(loss, prediction, target, *move))
                    if np.isfinite(coarse) and abs(coarse - fine) < 1e-5 * (1 + abs(fine)):
                        assert found == pytest.approx(fine, rel=1e-7, abs=1e-7), (case, target, what, prediction)
                    elif np.isfinite(coarse):
                        assert what in UNBOUNDED[name], (case, target, prediction)
                        assert not np.isnan(found)


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        (lambda smoothing: losses.label_smoothed(losses.hinge, smoothing), np.zeros(())),
        (lambda transition: losses.noise_corrected(losses.hinge, transition), np.eye(2)),
    ],
    ids=["label_smoothed", "noise_corrected"],
)
def test_a_transform_of_labels_has_the_derivative_beside_no_change(changed, at):
    @jax.jit
    def along(way):
        fn = lambda step: changed(at + step * way)(0.3, 1)  # noqa: E731
        return jax.grad(fn)(0.0), STENCIL @ jax.vmap(fn)(1e-3 * jnp.arange(5.0)) / 1e-3

    for way in np.eye(at.size).reshape(-1, *at.shape):
        found, expected = along(way)
        assert found == pytest.approx(float(expected), rel=1e-7)


def test_the_target_of_a_fenchel_young_loss_moves_its_score():
    loss = losses.fenchel_young(lambda p: jnp.sum(p * p) / 2, jax.nn.logsumexp)
    z, q = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(jax.grad(loss, 1)(z, q), q - z, rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        (losses.logistic, 0.3, 0.0),
        (losses.probit, 0.3, 1.0),
        (losses.complementary_log_log, 0.3, 0.0),
        (losses.binary_cross_entropy, 0.3, 1.0),
        (losses.focal, 0.3, 0.0),
        (losses.categorical_cross_entropy, [0.2, 0.3, 0.5], [1.0, 0.0, 0.0]),
        (losses.kl_divergence, [0.5, -1.0, 2.0], [0.2, 0.3, 0.5]),
        (lambda z, t: losses.forward_corrected(z, 0, transition=t), [0.5, -1.0, 2.0], np.eye(3)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value).replace("\n", "")),
)
def test_mixed_derivatives_are_those_beside_whichever_comes_first(loss, prediction, target):
    prediction, target = jnp.asarray(prediction), jnp.asarray(target)
    last, first = (jax.jacobian(jax.grad(loss, i), 1 - i)(prediction, target) for i in (0, 1))
    np.testing.assert_allclose(last, jnp.moveaxis(first, -1, 0) if prediction.ndim else first, atol=1e-14)
    beside = jax.jacobian(jax.grad(loss), 1)(prediction, target * (1 - 1e-9) + 1e-9 / 3)
    np.testing.assert_allclose(last, beside, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "prediction", "target"),
    [
        *[
            (losses.get(name), sign * far, target)
            for name in ("logistic", "focal", "probit", "complementary_log_log")
            for far in (1e3, 1e30, jnp.inf)
            for sign, target in ((1, 1.0), (-1, 0.0))
        ],
        *[(losses.binary_cross_entropy, p, y) for p, y in ((0.0, 0.0), (1.0, 1.0), (1e-30, 0.0), (1e-42, 0.0))],
        *[(losses.categorical_cross_entropy, [p, 1.0], [0.0, 1.0]) for p in (0.0, 1e-42, 1e-30)],
        *[(loss, -1e30, 0.0) for loss in (losses.poisson, losses.negative_binomial, losses.tweedie)],
        (losses.linex, 1e30, 0.0),
    ],
)
def test_a_factor_of_0_beside_one_that_overflows_gives_no_nan(loss, prediction, target):
    prediction, target = jnp.asarray(prediction, jnp.float32), jnp.asarray(target, jnp.float32)
    if loss is losses.linex:
        loss = jax.tree_util.Partial(loss, a=jnp.float32(0))
    with jax.debug_nans(True):
        found = jax.jit(lambda p, y: (jax.value_and_grad(loss, (0, 1))(p, y), jax.hessian(loss)(p, y)))(
            prediction, target
        )
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(found))
