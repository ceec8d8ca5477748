"""Sweeps: what a loop over `solve` gives, in order, once compiled, and with the same bits after an interruption."""

import functools
import importlib
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from problems import problem

import lossopt as lo
from lossopt import data, losses, models


DELTAS, PENALTIES = np.array([0.3, 1.0, 3.0]), np.array([0.0, 0.1])
SETS = [problem(seed) for seed in range(5)]


def huber():
    return lo.bind(losses.huber, delta=DELTAS)


def same(one, other):
    for left, right in zip(jax.tree.leaves(one.results), jax.tree.leaves(other.results), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_sweep_is_the_loop_over_every_combination():
    found = lo.sweep({"huber": huber(), "lad": losses.absolute_error}, SETS, l2=PENALTIES, chunk=4)
    assert [axis.name for axis in found.axes["huber"]] == ["delta", "l2", "data"]
    assert found["huber"].cost.shape == (3, 2, 5)
    assert found["lad"].cost.shape == (2, 5)
    for i, delta in enumerate(DELTAS):
        for j, l2 in enumerate(PENALTIES):
            for k, d in enumerate(SETS):
                one = lo.solve(lo.bind(losses.huber, delta=delta), d, l2=l2)
                np.testing.assert_allclose(found["huber"].cost[i, j, k], one.cost, rtol=1e-12)
                np.testing.assert_allclose(found["huber"].params.weights[i, j, k], one.params.weights, rtol=1e-8)
    for j, l2 in enumerate(PENALTIES):
        np.testing.assert_allclose(found["lad"].cost[j, 2], lo.solve(losses.absolute_error, SETS[2], l2=l2).cost)


def test_rows_are_tidy():
    rows = lo.sweep(huber(), SETS, l2=PENALTIES).rows()
    assert len(rows) == 30
    first = rows[7]
    assert list(first)[:4] == ["loss", "delta", "l2", "data"]
    assert (first["loss"], first["delta"], first["l2"], first["data"]) == ("huber", 0.3, 0.1, 2)
    assert first["status"] == "converged"
    assert {"cost", "gap", "iterations", "params.weights[0]", "params.weights[2]", "params.bias"} <= set(first)
    assert all(isinstance(value, (int, float, str)) for value in first.values())


def test_stacked_sets_single_sets_and_generated_ones():
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *SETS)
    same(lo.sweep(huber(), SETS), lo.sweep(huber(), stacked))
    assert lo.sweep(huber(), SETS[0])["huber"].cost.shape == (3, 1)
    make = lambda key: data.linear_problem(key, n=30, d=2)  # noqa: E731
    found = lo.sweep(losses.huber, make, seeds=[3, 8])
    assert found.axes["huber"][-1].name == "seed"
    one = lo.solve(losses.huber, make(jax.random.key(8)))
    np.testing.assert_allclose(found["huber"].params.weights[1], one.params.weights, rtol=1e-8)


def test_a_hyperparameter_that_is_a_vector_is_not_swept():
    loss = lo.bind(losses.softmax_cross_entropy)
    d = data.Dataset(SETS[0].features, np.arange(40) % 3)
    assert lo.sweep({"softmax": loss}, d, model=models.softmax(3), l2=0.1)["softmax"].cost.shape == (1,)


def test_any_fit_can_be_swept():
    options = {"optimizer": optax.adam(0.1), "num_steps": 20}
    found = lo.sweep(huber(), SETS, fit=lo.fit, **options)["huber"]
    one = lo.fit(lo.bind(losses.huber, delta=1.0), SETS[1], model=models.linear, **options)
    np.testing.assert_allclose(found.params.weights[1, 1], one.params.weights, rtol=1e-10)


def test_a_loss_compiles_once_whatever_the_grid_and_again_never():
    traces, counts = [], []

    def own(prediction, target, *, scale=1.0):
        traces.append(1)
        return losses.log_cosh(prediction, target, scale=scale)

    for scales in ([0.5, 1.0, 2.0], [0.7, 0.8, 0.9]):
        lo.sweep({"own": lo.bind(own, scale=np.array(scales))}, SETS, method="newton", chunk=4, workers=3)
        counts.append(len(traces))
    assert len(set(counts)) == 1


def test_the_order_of_the_losses_is_nothing_to_a_sweep_that_goes_on(tmp_path):
    named = {"h": losses.huber, "l": losses.log_cosh, "c": losses.pseudo_huber}
    found = lo.sweep(named, SETS, resume=tmp_path)
    again = lo.sweep(dict(reversed(named.items())), SETS, resume=tmp_path)
    for name in named:
        np.testing.assert_array_equal(found[name].cost, again[name].cost)


class Stop(Exception):
    pass


def test_a_sweep_that_was_stopped_ends_with_the_same_bits(tmp_path):
    arguments = {"huber": huber(), "lad": losses.absolute_error}, SETS
    whole = lo.sweep(*arguments, chunk=1)
    seen = []

    def stop(done, total):
        seen.append((done, total))
        if len(seen) == 2:
            raise Stop

    with pytest.raises(Stop):
        lo.sweep(*arguments, chunk=1, resume=tmp_path, progress=stop, workers=1)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert 2 <= len(kept) < 20
    same(lo.sweep(*arguments, chunk=1, resume=tmp_path), whole)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    # And once more, when all of it is there.
    again = []
    same(lo.sweep(*arguments, chunk=1, resume=tmp_path, progress=lambda *done: again.append(done)), whole)
    assert again[-1] == (20, 20)


def test_a_damaged_part_is_done_again(tmp_path):
    whole = lo.sweep(huber(), SETS, resume=tmp_path)
    next(tmp_path.glob("*.npz")).write_bytes(b"half a file")
    same(lo.sweep(huber(), SETS, resume=tmp_path), whole)


def test_an_accelerator_is_given_more_at_a_time(monkeypatch):
    """As if the processor were one: all fits of a loss are one chunk, and come out the same."""
    module = importlib.import_module("lossopt.sweep._sweep")
    arguments = {"huber": losses.huber}, SETS
    expected = lo.sweep(*arguments, chunk=2)["huber"]
    monkeypatch.setattr(module, "on_cpu", lambda: False)
    chunks = []
    monkeypatch.setattr(module, "_CHUNK", 1)
    found = lo.sweep(*arguments, progress=lambda *done: chunks.append(done))["huber"]
    assert chunks == [(len(SETS), len(SETS))]
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "what"), [({"l2": 0.5}, "l2"), ({"data": SETS[:3]}, "data"), ({"chunk": 2}, "chunk")]
)
def test_another_sweep_in_the_same_folder_is_refused(tmp_path, change, what):
    lo.sweep(huber(), SETS, resume=tmp_path)
    options = {"data": SETS} | change
    with pytest.raises(ValueError, match=f"differs in: {what}"):
        lo.sweep(huber(), resume=tmp_path, **options)


def test_a_loss_of_the_same_name_that_was_changed_is_another_sweep(tmp_path):
    held = [jnp.array([factor, 1.0]) for factor in (1.0, 2.0)]
    scaled = [lambda p, t, h=h: jnp.sum(h) * (p - t) ** 2 for h in held]
    lo.sweep(scaled[0], SETS, method="newton", resume=tmp_path)
    with pytest.raises(ValueError, match="differs in: programme of <lambda>"):
        lo.sweep(scaled[1], SETS, method="newton", resume=tmp_path)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("do not touch")
    with pytest.raises(ValueError, match=r"thesis\.txt: give an empty folder"):
        lo.sweep(huber(), SETS, resume=tmp_path)


def with_nan():
    features = np.array(SETS[0].features)
    features[3, 1] = np.nan
    return [SETS[1], SETS[0]._replace(features=features)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": with_nan()}, "In data set 1: features hold NaN in 1 row, the first row 3 "),
        ({"data": []}, "holds no data set"),
        ({"data": [SETS[0], data.Dataset(np.zeros((3, 3)), np.zeros(3))]}, "2 different shapes"),
        ({"data": SETS, "seeds": 3}, "seeds are for data that are generated"),
        ({"data": lambda key: SETS[0]}, "say for which seeds"),
        ({"losses": {}}, "holds no loss"),
        ({"losses": [losses.huber, huber()]}, "Two of the losses have one name"),
        ({"losses": {"a/b": losses.huber}}, "without slashes"),
        ({"losses": lo.bind(losses.huber, delta=np.array([]))}, "no value of delta"),
        ({"l2": np.array([0.1, -0.1])}, "the penalty must be"),
        ({"l2": np.zeros((2, 2))}, "l2 has shape"),
        ({"chunk": 0}, "chunk=0"),
        ({"workers": 1.5}, "workers=1.5"),
        ({"data": [SETS[0]._replace(weights=np.zeros(40)), SETS[1]._replace(weights=np.ones(40))]}, "data set 0 are 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    options = {"losses": losses.huber, "data": SETS} | arguments
    with pytest.raises((ValueError, TypeError), match=message):
        lo.sweep(options.pop("losses"), options.pop("data"), **options)


def test_an_error_in_a_fit_ends_the_sweep():
    def bad(loss, d, **_):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        lo.sweep(losses.huber, SETS, fit=bad)


def test_float32_stays_float32():
    sets = [jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), d) for d in SETS]
    found = lo.sweep(losses.huber, sets, l2=np.array([0.0, 0.1], np.float32))["huber"]
    assert found.params.weights.dtype == jnp.float32


# Dependent columns, and Hessians of 72 coefficients: both need LAPACK, from two threads at once.
CAREFUL = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
import lossopt as lo
from lossopt import data, losses, models
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 40, 8))
x[..., 0] = x[..., 1] + x[..., 2]
print(lo.sweep(losses.huber, data.Dataset(x, rng.normal(size=(200, 40))), workers=2)["huber"].status)
many = data.Dataset(x, rng.permuted(np.tile(np.arange(40) % 8, (200, 1)), axis=1))
print(lo.sweep({"many": losses.softmax_cross_entropy}, many, model=models.softmax(8), l2=0.1, workers=2)["many"].status)
"""


def test_threads_that_need_lapack_do_not_wait_for_each_other_for_ever():
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run([sys.executable, "-c", CAREFUL], env=environment, timeout=150, capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["200 minimum norm", "200 converged"], done.stderr


def test_a_function_of_the_same_name_that_makes_other_data_is_another_sweep(tmp_path):
    made = [lambda key, n=n: data.linear_problem(key, n=n, d=2) for n in (20, 30)]
    lo.sweep(losses.huber, made[0], seeds=2, resume=tmp_path)
    with pytest.raises(ValueError, match="differs in: data"):
        lo.sweep(losses.huber, made[1], seeds=2, resume=tmp_path)


@pytest.mark.parametrize(
    "loss",
    [
        losses.asymmetric(losses.absolute_error, jnp.array([0.2, 0.8])),
        losses.clipped(losses.squared_error, jnp.array([1.0, 4.0])),
        losses.mixture({losses.squared_error: 0.7, losses.absolute_error: 0.3}),
    ],
    ids=losses.label,
)
def test_transformed_losses_are_swept_over_their_own_hyperparameters(loss):
    found = lo.sweep(loss, SETS[0], l2=np.array([0.0, 0.1]))
    for row in found.rows():
        own = {name: row[name] for name in ("level", "cap") if name in row}
        alone = lo.solve(lo.bind(loss, **own), SETS[0], l2=row["l2"])
        assert row["loss"] == losses.label(loss)
        np.testing.assert_allclose(row["cost"], alone.cost, rtol=1e-9)
    assert len(found.rows()) == 2 * (1 if losses.label(loss) == "mixture" else 2)


def test_a_vector_inside_a_transformed_loss_is_answered():
    inside = losses.scaled(lo.bind(losses.huber, delta=jnp.array([0.5, 1.0])), 2.0)
    with pytest.raises(ValueError, match=r"delta of huber has shape \(2,\), and inside scaled"):
        lo.sweep(inside, SETS[0])


def test_what_functools_partial_fixes_is_fixed():
    fixed = functools.partial(losses.huber, delta=0.1)
    np.testing.assert_allclose(lo.sweep(fixed, SETS[0])["huber"].cost[0], lo.solve(fixed, SETS[0]).cost, rtol=1e-12)
    several = lo.sweep(functools.partial(losses.huber, delta=np.array([0.1, 1.0])), SETS[0])["huber"]
    assert several.cost.shape == (2, 1)

    def own(factor, prediction, target, power=1.0, *, scale=1.0):
        return factor * scale * jnp.abs(prediction - target) ** (2.0 * power)

    for bound in (functools.partial(own, 3.0), functools.partial(own, 3.0, power=1.0, scale=2.0)):
        found = lo.sweep(bound, SETS[0], fit=lo.fit, num_steps=3)["own"].trace.cost[0]
        np.testing.assert_allclose(found, lo.fit(bound, SETS[0], num_steps=3).trace.cost, rtol=1e-12)


def test_a_sweep_takes_what_a_fit_takes():
    features = np.arange(30).reshape(10, 3) % 7
    frame = pd.DataFrame({"a": features[:, 0] / 2, "b": features[:, 1], "c": features[:, 2] > 3})
    targets = np.arange(10.0) ** 2
    kinds = [(features, targets), (features.tolist(), targets.tolist()), (frame, pd.Series(targets))]
    for table in [*kinds, (features.astype(">f8"), targets.astype(">f8"))]:
        given = data.Dataset(*table)
        found = lo.sweep(losses.huber, given, fit=lo.fit, num_steps=3)["huber"].trace.cost[0]
        np.testing.assert_allclose(found, lo.fit(losses.huber, given, num_steps=3).trace.cost, rtol=1e-12)


def test_a_fit_of_ones_own_may_differentiate_a_solution():
    def slope(loss, table, *, model, l2):
        return jax.grad(lambda l2: lo.solve(loss, table, model=model, l2=l2).cost)(l2)

    found = lo.sweep(losses.squared_error, SETS[0], l2=np.array([0.1, 1.0]), fit=slope)["squared_error"]
    at = lo.solve(losses.squared_error, SETS[0], l2=0.1).params.weights
    np.testing.assert_allclose(found[0, 0], np.sum(np.square(at)) / 2, rtol=1e-9)


def test_results_of_ones_own_do_not_hide_an_axis():
    own = lambda loss, d, *, model, l2: {"status": jnp.array(7), "code": jnp.array(1.0), "loss": l2}  # noqa: E731
    (row,) = lo.sweep(losses.huber, SETS[0], fit=own, l2=0.5).rows()
    assert row == {"loss": "huber", "data": 0, "code": 1.0, "result.loss": 0.5, "status": 7}


def test_bfloat16_and_random_keys_are_kept(tmp_path):
    half = data.Dataset(*(jnp.asarray(leaf, jnp.bfloat16) for leaf in SETS[0][:2]))
    for given, options in ((half, {}), (SETS[0], {"batch_size": 8, "key": jax.random.key(0)})):
        fits = [
            lo.sweep(losses.huber, given, fit=lo.fit, num_steps=3, resume=folder, **options)
            for folder in (None, tmp_path / f"{len(options)}", tmp_path / f"{len(options)}")
        ]
        assert fits[2]["huber"].params.weights.dtype == given.features.dtype
        same(fits[0], fits[1])
        same(fits[0], fits[2])


def test_a_part_of_another_sweep_is_not_taken(tmp_path):
    for name, l2 in (("one", 0.0), ("other", 1.0)):
        lo.sweep(losses.huber, SETS[0], l2=l2, resume=tmp_path / name)
    (part,) = (tmp_path / "other").glob("*.npz")
    shutil.copy(part, tmp_path / "one" / part.name)
    same(lo.sweep(losses.huber, SETS[0], resume=tmp_path / "one"), lo.sweep(losses.huber, SETS[0]))


@pytest.mark.parametrize("text", ["", "[]", "null", "{"])
def test_a_damaged_manifest_is_said(tmp_path, text):
    lo.sweep(losses.huber, SETS[0], resume=tmp_path)
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(ValueError, match="damaged"):
        lo.sweep(losses.huber, SETS[0], resume=tmp_path)


def test_a_manifest_that_was_not_finished_is_written_again(tmp_path):
    (tmp_path / "sweep.json.part").write_text("{")
    lo.sweep(losses.huber, SETS[0], resume=tmp_path)
    assert (tmp_path / "sweep.json").exists()
