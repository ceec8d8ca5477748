"""The registry, binding, and what a bound loss is: a pytree."""

import math
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from lossopt import losses
from lossopt.losses import Interval


def test_names_are_those_of_a_task():
    assert set(losses.names()) == {name for task in typing.get_args(losses.Task) for name in losses.names(task=task)}
    assert "huber" in losses.names(task="regression")
    assert "huber" not in losses.names(task="binary")


def test_get_returns_the_function_itself():
    assert losses.get("huber") is losses.huber


def test_an_unknown_name_meets_its_nearest_match():
    with pytest.raises(ValueError, match=r"no loss called 'hubr'\. Did you mean 'huber'"):
        losses.get("hubr")
    with pytest.raises(ValueError, match=r"no loss called 'xyzzy'\. lossopt"):
        losses.get("xyzzy")


def test_a_name_is_taken_once():
    def huber(prediction, target):
        return prediction

    with pytest.raises(ValueError, match="'huber' is already registered"):
        losses.register(losses.claims(losses.huber))(huber)
    assert losses.get("huber") is losses.huber


def test_bind_refuses_an_unknown_hyperparameter():
    with pytest.raises(TypeError, match=r"no hyperparameter 'dleta' .* Did you mean 'delta'"):
        lo.bind(losses.huber, dleta=1.0)
    with pytest.raises(TypeError, match=r"squared_error has no hyperparameter 'delta' \(it has: none\)"):
        lo.bind(losses.squared_error, delta=1.0)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("huber", {"delta": 0.0}),
        ("huber", {"delta": -1.0}),
        ("huber", {"delta": math.nan}),
        ("quantile", {"level": 1.0}),
        ("quantile", {"level": 0.0}),
        ("pseudo_huber", {"delta": math.inf}),
        ("focal", {"gamma": -0.1}),
        ("focal", {"alpha": 1.5}),
        ("logistic", {"label_smoothing": 1.1}),
    ],
)
def test_bind_refuses_a_value_outside_the_domain(name, setting):
    (key, value) = next(iter(setting.items()))
    with pytest.raises(ValueError, match=rf"{name} needs {key} in .*, but {key}={value}"):
        lo.bind(losses.get(name), **setting)


@pytest.mark.parametrize("name", losses.names())
def test_every_default_lies_in_its_domain(name):
    loss, domains = losses.get(name), losses.claims(losses.get(name)).hyperparameters
    given = losses.hyperparameters(loss)
    assert set(given) == set(domains)
    losses.check_hyperparameters(loss, given)


def test_binding_twice_flattens():
    once = lo.bind(losses.general_robust, alpha=0.5, c=2.0)
    twice = lo.bind(once, c=3.0)
    assert twice.func is losses.general_robust
    assert twice.keywords == {"alpha": 0.5, "c": 3.0}
    assert losses.hyperparameters(twice) == {"alpha": 0.5, "c": 3.0}


def test_a_bound_loss_still_takes_the_keyword():
    assert lo.bind(losses.huber, delta=2.0)(3.0, 0.0, delta=1.0) == losses.huber(3.0, 0.0)


def test_a_card_is_evaluated_where_the_loss_is_bound():
    card = lo.card(lo.bind(losses.huber, delta=0.25))
    assert (card.lipschitz, card.convex, card.tails) == (0.25, True, "linear")
    assert lo.card(lo.bind(losses.huber, delta=math.inf)).elicits == "mean"
    with pytest.raises(TypeError, match="depends on the hyperparameters"):
        losses.claims(losses.huber).convex  # noqa: B018


def test_a_loss_without_a_card_says_how_to_measure_it():
    assert not losses.has_card(lambda p, t: p)
    with pytest.raises(ValueError, match=r"has no card: lossopt\.check"):
        lo.card(lambda p, t: p)


def test_a_sweep_compiles_once():
    traces = []

    @jax.jit
    def total(loss, predictions):
        traces.append(1)
        return jnp.sum(jax.vmap(loss)(predictions, jnp.zeros_like(predictions)))

    r = jnp.linspace(-3.0, 3.0, 7)
    found = [float(total(lo.bind(losses.huber, delta=delta), r)) for delta in (0.1, 1.0, 2.0)]
    assert len(traces) == 1
    assert found == sorted(found)


def test_vmap_runs_over_a_hyperparameter():
    deltas = jnp.array([0.1, 1.0, 2.0])
    together = jax.vmap(lambda loss: loss(3.0, 0.5))(lo.bind(losses.huber, delta=deltas))
    np.testing.assert_allclose(together, [losses.huber(3.0, 0.5, delta=float(delta)) for delta in deltas], rtol=1e-15)


@pytest.mark.parametrize("name", losses.names())
def test_a_hyperparameter_never_changes_the_dtype(name):
    loss = losses.get(name)
    given = {key: value for key, value in losses.hyperparameters(loss).items() if value is not None}
    bound = lo.bind(loss, **{key: np.float64(value) for key, value in given.items()})
    card = losses.claims(loss)
    length = losses.length(loss) or 3
    prediction = jnp.full((length,) * card.prediction_ndim, 0.5, jnp.float32)
    target = 1 if card.target == "label" else jnp.zeros((length,) * card.target_ndim, jnp.float32)
    for float_type in (jnp.bfloat16, jnp.float32, jnp.float64):
        soft = target if card.target == "label" else target.astype(float_type)
        assert jax.eval_shape(bound, prediction.astype(float_type), soft).dtype == float_type


def test_an_integer_takes_the_dtype_of_the_float_beside_it():
    assert losses.huber(jnp.float32(2.5), 1).dtype == jnp.float32
    assert losses.squared_error(3, 1) == 4.0


def test_an_interval_says_which_ends_belong_to_it():
    half_open = Interval(0.0, 1.0, (False, True))
    assert str(half_open) == "(0, 1]"
    assert [half_open.contains(x) for x in (0.0, 0.5, 1.0, math.nan)] == [False, True, True, False]
    assert not half_open.contains(np.array([0.5, 2.0]))


def test_a_label_must_be_an_integer():
    with pytest.raises(TypeError, match="integer class label"):
        losses.softmax_cross_entropy(jnp.zeros(3), 1.0)


FAR = [*(10.0**power for power in (-300, -200, -9, -3, 3, 9, 160, 200, 300)), 5e-324, 1.7e308]


@pytest.mark.parametrize("name", losses.names())
def test_a_card_can_be_read_at_the_ends_of_what_a_hyperparameter_may_be(name):
    loss = losses.get(name)
    for hyperparameter, domain in losses.claims(loss).hyperparameters.items():
        if not isinstance(losses.hyperparameters(loss)[hyperparameter], float):
            continue
        for value in (domain.low, domain.high, *FAR, *(-value for value in FAR)):
            if domain.contains(value):
                with np.errstate(all="raise", under="ignore"):
                    card = lo.card(lo.bind(loss, **{hyperparameter: value}))
                assert not any(isinstance(claim, float) and math.isnan(claim) for claim in vars(card).values())


def test_what_floats_can_tell_is_claimed_far_out_too():
    at = lambda name, field, **settings: losses.claim(lo.bind(losses.get(name), **settings), field)  # noqa: E731
    assert at("huber", "efficiency", delta=1e300) == 1.0
    assert at("huber", "efficiency", delta=5e-324) == pytest.approx(2 / math.pi, rel=1e-7)
    assert at("student_t", "noise", scale=1e300) == "student t"
    assert at("poly1", "lipschitz", epsilon=1e300) == pytest.approx(math.sqrt(2) / 4 * 1e300)
    assert at("poly1", "smoothness", epsilon=1e300) == pytest.approx(1e300 / math.sqrt(27))
    # The largest of exp(-u) (1 + u log(gamma / u)) by mpmath.
    assert at("focal", "lipschitz", gamma=1e40) == pytest.approx(34.2588733831096, rel=1e-9)
    assert at("general_robust", "smoothness", c=1e-200) is None
