"""A training loop that was stopped goes on where it was, and ends with the same bits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from problems import problem

import lossopt as lo
from lossopt import losses, store


ADAM = optax.adam(0.1)
OPTIONS = {"optimizer": ADAM, "num_steps": 50, "checkpoint_every": 12}
CASES = {
    "all rows": {},
    "mini-batches": {"batch_size": 7, "key": jax.random.key(0)},
    "every step's parameters": {"keep_params": True},
    "a line search": {"optimizer": optax.lbfgs(), "num_steps": 20},
}


def assert_same_bits(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


class Stopped(Exception):
    """What a user's interrupt is in these tests."""


def stop_after(monkeypatch, parts):
    """Interrupt the next fit when it has kept so many parts; the list grows by the name of each part that is kept."""
    kept, save = [], store.Store.save

    def counted(self, name, arrays):
        if len(kept) == parts:
            raise Stopped
        kept.append(name)
        save(self, name, arrays)

    monkeypatch.setattr(store.Store, "save", counted)
    return kept


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_stopped_fit_goes_on_to_the_same_bits(case, parts, tmp_path, monkeypatch):
    options = OPTIONS | CASES[case] | ({"checkpoint_every": 6} if case == "a line search" else {})
    whole = lo.fit(losses.huber, problem(0), resume=tmp_path / "whole", **options)
    with monkeypatch.context() as patched:
        stop_after(patched, parts)
        with pytest.raises(Stopped):
            lo.fit(losses.huber, problem(0), resume=tmp_path / "stopped", **options)
    with monkeypatch.context() as patched:
        kept = stop_after(patched, None)
        resumed = lo.fit(losses.huber, problem(0), resume=tmp_path / "stopped", **options)
    assert kept == [
        str(number) for number in range(parts, -(-(options["num_steps"] + 1) // options["checkpoint_every"]))
    ]
    assert_same_bits(resumed, whole)
    options.pop("checkpoint_every")
    plain = lo.fit(losses.huber, problem(0), **options)
    assert plain.trace.cost.shape == resumed.trace.cost.shape
    np.testing.assert_allclose(resumed.trace.cost, plain.trace.cost, rtol=1e-9)


def test_a_fit_goes_on_where_another_machine_has_other_last_bits(tmp_path, monkeypatch):
    table = problem(0, n=200, d=3)
    fit = functools.partial(lo.fit, losses.squared_error, table, num_steps=100, resume=tmp_path)
    first = fit()
    factorise = np.linalg.qr
    monkeypatch.setattr(np.linalg, "qr", lambda table, mode: factorise(table, mode=mode) * (1 + 2**-50))
    assert_same_bits(first, fit())


def test_a_damaged_part_is_done_again(tmp_path):
    whole = lo.fit(losses.huber, problem(0), resume=tmp_path, **OPTIONS)
    (tmp_path / "2.npz").write_bytes(b"half a file")
    assert_same_bits(lo.fit(losses.huber, problem(0), resume=tmp_path, **OPTIONS), whole)


def mine(prediction, target):
    return (prediction - target) ** 2


def changed(prediction, target):
    return (prediction - target) ** 2 + 0.1 * jnp.abs(prediction)


changed.__qualname__ = changed.__name__ = mine.__name__


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": optax.adam(0.2)}, "objective and optimizer"),
        ({"l2": 0.1}, "hyperparameters"),
        ({"num_steps": 60}, "steps"),
        ({"keep_params": True}, r"keep_params\."),
        ({"loss": changed}, "objective and optimizer"),
        ({"data": problem(1)}, "data"),
    ],
)
def test_another_fit_is_not_taken_up(change, said, tmp_path):
    given = {"loss": mine, "data": problem(0), **OPTIONS}
    lo.fit(**given, resume=tmp_path)
    with pytest.raises(ValueError, match=f"another fit.* {said}"):
        lo.fit(**given | change, resume=tmp_path)


def test_a_loss_that_holds_other_numbers_is_another(tmp_path):
    held = [jnp.array([factor, 1.0]) for factor in (1.0, 2.0)]
    scaled = [lambda p, t, h=h: jnp.sum(h) * (p - t) ** 2 for h in held]
    lo.fit(scaled[0], problem(0), resume=tmp_path, **OPTIONS)
    with pytest.raises(ValueError, match="differs in: objective and optimizer"):
        lo.fit(scaled[1], problem(0), resume=tmp_path, **OPTIONS)


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ValueError, match="checkpoint_every=0"):
        lo.fit(mine, problem(0), resume=tmp_path, checkpoint_every=0)
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda: lo.fit(mine, problem(0), resume=tmp_path))()
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(ValueError, match=r"no fit but letter\.txt"):
        lo.fit(mine, problem(0), resume=tmp_path)


@pytest.mark.parametrize("kept", ["random keys", "bfloat16"])
def test_what_the_file_format_does_not_know_is_kept(kept, tmp_path):
    optimizer = (
        optax.noisy_sgd(0.1, key=jax.random.key(3)) if kept == "random keys" else optax.adam(0.1, mu_dtype=jnp.bfloat16)
    )
    run = functools.partial(lo.fit, losses.huber, problem(0), optimizer=optimizer, num_steps=10)
    first = run(resume=tmp_path, checkpoint_every=4)
    (tmp_path / "2.npz").unlink()
    again = run(resume=tmp_path, checkpoint_every=4)
    assert_same_bits(first, run())
    assert_same_bits(again, first)
