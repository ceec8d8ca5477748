"""Small products, sums and positive definite systems: NumPy's answers, however they are compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lossopt.solve import _columns, _normal


# On both sides of what is added up in one loop, of what is a sum, and of what LAPACK is given.
SIZES = (1, 7, 24, 32, 33, 64, 65, 128, 129)


def random(*shape):
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


@pytest.mark.parametrize("columns", [(), (1,), (2,), (3,)])
@pytest.mark.parametrize("size", SIZES)
def test_a_product_is_that_of_numpy(size, columns):
    matrix, right = random(5, size), random(size, *columns)
    np.testing.assert_allclose(_normal.times(matrix, right), matrix @ right, rtol=1e-12, atol=1e-13)
    batch = jax.vmap(_normal.times)(jnp.stack([matrix, 2 * matrix]), jnp.stack([right, right]))
    np.testing.assert_allclose(batch[1], 2 * matrix @ right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [0, *SIZES])
def test_sums_lengths_and_what_is_finite(size):
    left, right = random(2, size), random(2, size) + 1
    np.testing.assert_allclose(_normal.added(left), left.sum(axis=1), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(_normal.dot(left, right), np.sum(left * right), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(_normal.length(left), np.linalg.norm(left), rtol=1e-12)
    table = jnp.outer(jnp.arange(1.0, 41), left[0])
    np.testing.assert_allclose(_normal.total(table), np.sum(table), rtol=1e-12, atol=1e-10)
    assert _normal.all_finite(left)
    for value in (np.nan, np.inf, -np.inf) if size else ():
        assert not _normal.all_finite(jnp.append(left, value))


@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("size", SIZES)
def test_a_definite_system_alone_and_in_a_batch(size, columns):
    root, right = random(size, size + 5), random(size, *columns)
    matrix = root @ root.T
    found = _normal.definite_solver(matrix)(right)
    batch = jax.vmap(lambda m, r: _normal.definite_solver(m)(r))(jnp.stack([matrix, matrix]), jnp.stack([right, right]))
    for one in (found, *batch):
        np.testing.assert_allclose(matrix @ one, right, rtol=1e-8, atol=1e-8 * np.abs(right).max())
    assert np.all(np.isnan(_normal.definite_solver(matrix - 2 * np.trace(matrix) * np.eye(size))(right)))


def test_a_small_product_and_a_short_sum_have_no_kernel_of_their_own():
    """Each would take the compiler as long as some ten others."""

    def chain(matrix, vector):
        vector = _normal.times(matrix, vector)
        return vector / _normal.length(vector)

    text = jax.jit(chain).lower(random(51, 51), random(51)).compile().as_text()
    assert " dot(" not in text
    assert "reduce-window" not in text


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32, jnp.bfloat16])
def test_a_power_of_two_is_next_to_each_number(dtype):
    info = jnp.finfo(dtype)
    values = jnp.array([1.0, 1.5, 1.99, 2.0, 3.0, 0.7, 1e-3, float(info.tiny), float(info.max)], dtype)
    found = np.asarray(_columns.power_of_two(values), float)
    assert np.all((found <= np.asarray(values, float)) & (np.asarray(values, float) / 2 < found))
    assert np.all(np.frexp(found)[0] == 0.5)
