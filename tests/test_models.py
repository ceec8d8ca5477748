"""Models: a start, a score of one example, a probability where that has a meaning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lossopt import models


ALL = [models.linear, models.logistic, models.softmax(3), models.multi_output(2)]
ALL += [models.without_intercept(model) for model in ALL]
BY_NAME = {f"{model.name}{'' if model.intercept else ' through 0'}": model for model in ALL}


@pytest.fixture(params=BY_NAME.values(), ids=BY_NAME)
def model(request):
    return request.param


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_starts_at_zero(model, dtype):
    params = model.init(4, dtype)
    assert params.weights.shape == (4, *model.score_shape)
    assert all(leaf.dtype == dtype and not leaf.any() for leaf in jax.tree.leaves(params))
    assert (params.bias is not None) == model.intercept


def test_score_is_affine(model, key):
    params = jax.tree.map(lambda leaf: jax.random.normal(key, leaf.shape), model.init(4))
    x = jnp.arange(4.0)
    expected = x @ params.weights + (0 if params.bias is None else params.bias)
    np.testing.assert_allclose(model.predict(params, x), expected, rtol=1e-15)
    assert model.predict(params, x).shape == model.score_shape


def test_probabilities_follow_the_score(model, key):
    params = jax.tree.map(lambda leaf: jax.random.normal(key, leaf.shape), model.init(4))
    x = jnp.arange(4.0)
    if model.name in ("linear", "multi-output"):
        with pytest.raises(ValueError, match=r"models\.(logistic|softmax\(2\))"):
            model.probability(params, x)
        return
    score = model.predict(params, x)
    probability = model.probability(params, x)
    if model.name == "logistic":
        np.testing.assert_allclose(jnp.log(probability) - jnp.log1p(-probability), score, rtol=1e-9)
    else:
        np.testing.assert_allclose(probability.sum(), 1, rtol=1e-15)
        np.testing.assert_allclose(jnp.diff(jnp.log(probability)), jnp.diff(score), rtol=1e-9)


def test_equal_models_are_one_model():
    assert models.softmax(3) == models.softmax(3)
    assert hash(models.softmax(3)) == hash(models.softmax(3))
    assert models.without_intercept(models.linear) != models.linear


def test_one_class_is_no_choice():
    with pytest.raises(ValueError, match="at least 2"):
        models.softmax(1)
    with pytest.raises(ValueError, match="at least 1"):
        models.multi_output(0)
