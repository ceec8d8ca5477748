"""Tables that are not in memory, or in another precision than is computed in: the same answers."""

import concurrent.futures
import os
import signal
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from problems import forget

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve import _blocks, _cleaned, _programme


ROWS, COLUMNS = 503, 4


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks of 40 rows, for every table."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_blocks, "BLOCK", 40 * COLUMNS)
        patched.setattr(_cleaned, "LARGE", 1)
        forget()
        yield
    forget()


def table(seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(ROWS, COLUMNS)) + 2).astype(dtype)
    score = features @ [1.0, -1.0, 0.5, 0.0]
    labels = (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-score))).astype(float)
    return data.Dataset(features, labels, rng.integers(0, 3, ROWS).astype(float))


def mapped(path, features):
    np.save(path / "features.npy", features)
    return np.load(path / "features.npy", mmap_mode="r")


class Sliced:
    """What an array of another library offers: a shape, a dtype and rows by slices."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype, self.largest = rows, rows.shape, rows.dtype, 0

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        found = self._rows[rows]
        self.largest = max(self.largest, len(found))
        return found


def assert_same_bits(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


CASES = {
    "logistic": {},
    "logistic, l1": {"l1": 0.02},
    "logistic, lbfgs": {"method": "lbfgs", "l2": 0.1},
    "softmax": {"model": models.softmax(2)},
    "least squares": {"method": "newton"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_mapped_table_gives_the_same_answer(case, tmp_path):
    d, loss = table(), losses.half_squared_error if case == "least squares" else losses.logistic
    if case == "softmax":
        d, loss = d._replace(targets=d.targets.astype(int)), losses.softmax_cross_entropy
    inside = lo.solve(loss, d, **CASES[case])
    outside = lo.solve(loss, d._replace(features=mapped(tmp_path, d.features)), **CASES[case])
    assert outside.status.name == inside.status.name == "converged"
    for left, right in zip(jax.tree.leaves(inside.params), jax.tree.leaves(outside.params), strict=True):
        np.testing.assert_allclose(right, left, rtol=1e-12, atol=1e-14)


def test_any_table_of_rows_will_do_and_no_more_than_a_block_is_read(monkeypatch):
    d = table()
    rows = Sliced(d.features)
    stored = d._replace(features=data.Stored(rows))
    assert_same_bits(lo.solve(losses.logistic, d), lo.solve(losses.logistic, stored))
    # The check of the numbers is done, in blocks of the host's own: what is read now is the solver's.
    monkeypatch.setattr(data.Stored, "check", lambda table: None)
    rows.largest = 0
    lo.solve(losses.logistic, stored)
    assert rows.largest == 40


def test_another_table_of_the_shape_compiles_nothing(tmp_path):
    lo.solve(losses.logistic, table(0)._replace(features=data.Stored(table(0).features)))
    stages = _programme.basis_alone, _programme.minimum_alone, _programme.solution_alone
    before = [stage._cache_size() for stage in stages]
    assert all(before[:2])
    first = lo.solve(losses.logistic, table(1)._replace(features=data.Stored(table(1).features)))
    assert [stage._cache_size() for stage in stages] == before
    np.testing.assert_array_equal(first.params.weights, lo.solve(losses.logistic, table(1)).params.weights)


def test_squares_are_minimised_as_by_a_factorisation():
    d = table()
    stored = d._replace(features=data.Stored(d.features))
    one = lo.solve(losses.squared_error, d, method="least_squares")
    found = lo.solve(losses.squared_error, stored)
    np.testing.assert_allclose(found.params.weights, one.params.weights, rtol=1e-10)


def test_piecewise_linear_losses_read_it_whole():
    d = table()
    stored = d._replace(features=data.Stored(d.features))
    assert_same_bits(lo.solve(losses.absolute_error, d), lo.solve(losses.absolute_error, stored))


def test_so_does_the_training_loop():
    optax = pytest.importorskip("optax")
    d, sgd = table(), optax.sgd(0.1)
    stored = d._replace(features=data.Stored(d.features))
    runs = [lo.fit(losses.logistic, one, optimizer=sgd, num_steps=3).params for one in (d, stored)]
    assert_same_bits(*runs)


@pytest.mark.parametrize("jitted", [False, True])
def test_dependent_columns_give_the_smallest_weights(jitted):
    d = table()
    twice = d._replace(features=np.c_[d.features, d.features[:, :1]])
    solve = lambda d: lo.solve(losses.logistic, d)  # noqa: E731
    one = solve(d)
    found = jax.jit(solve)(twice) if jitted else solve(twice._replace(features=data.Stored(twice.features)))
    assert found.status.name == "minimum norm"
    np.testing.assert_allclose(found.params.weights[0], one.params.weights[0] / 2, rtol=1e-7)
    np.testing.assert_allclose(found.params.weights[4], one.params.weights[0] / 2, rtol=1e-7)
    np.testing.assert_allclose(found.params.weights[1:4], one.params.weights[1:], rtol=1e-7)


@pytest.mark.parametrize("options", [{}, {"l1": 0.01}])
def test_float32_is_summed_in_float64_where_asked(options, tmp_path):
    d = table(dtype=np.float32)
    exact = lo.solve(losses.logistic, d._replace(features=d.features.astype(float)), **options)
    found = lo.solve(losses.logistic, d, dtype=jnp.float64, **options)
    on_disk = lo.solve(losses.logistic, d._replace(features=mapped(tmp_path, d.features)), dtype=jnp.float64, **options)
    assert found.params.weights.dtype == on_disk.params.weights.dtype == jnp.float64
    np.testing.assert_allclose(found.params.weights, exact.params.weights, rtol=1e-12)
    np.testing.assert_allclose(on_disk.params.weights, exact.params.weights, rtol=1e-12)
    assert lo.solve(losses.logistic, d, **options).params.weights.dtype == jnp.float32


@pytest.mark.parametrize("size", [7, 100, 1000])
def test_a_parquet_file_gives_the_same_bits(size, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra of its own")
    import pyarrow

    d = table()
    columns = {f"x{j}": d.features[:, j] for j in range(COLUMNS)}
    parquet.write_table(
        pyarrow.table({**columns, "y": d.targets, "w": d.weights}), tmp_path / "table.parquet", row_group_size=size
    )
    found = data.read_parquet(tmp_path / "table.parquet", target="y", weights="w")
    assert_same_bits(lo.solve(losses.logistic, d), lo.solve(losses.logistic, found))
    with pytest.raises(ValueError, match=r"no column \['z'\].*x0"):
        data.read_parquet(tmp_path / "table.parquet", target="z")
    parquet.write_table(pyarrow.table({"x": ["a", "b"], "y": [1.0, 2.0]}), tmp_path / "text.parquet")
    with pytest.raises(ValueError, match=r"'x' .*string.*encode"):
        data.read_parquet(tmp_path / "text.parquet", target="y")


def written(path, **columns):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra of its own")
    import pyarrow

    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_frame_in_several_files_is_one_table_without_its_index(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is an extra of its own")
    d, whole = table(), pd.DataFrame(table().features, columns=list("abcd"))
    whole["y"] = d.targets
    # Rows that were chosen keep their numbers, in a column of the file.
    whole[:200].set_index(np.arange(200)[::-1]).to_parquet(tmp_path / "1.parquet")
    whole[200:].set_index(np.arange(len(whole) - 200)[::-1]).to_parquet(tmp_path / "2.parquet", row_group_size=31)
    for path in (tmp_path, sorted(tmp_path.glob("*.parquet"))):
        found = data.read_parquet(path, target="y")
        np.testing.assert_array_equal(found.features[:], d.features)
        np.testing.assert_array_equal(found.targets, d.targets)
    assert data.read_parquet(tmp_path, target="y", features="b").features.shape == (ROWS, 1)
    np.testing.assert_array_equal(found.features[150:250], d.features[150:250])
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        # The file is one, and none of the threads is to see what another has asked for.
        starts = list(range(0, ROWS - 40, 3))
        for start, rows in zip(starts, threads.map(lambda i: found.features[i : i + 40], starts), strict=True):
            np.testing.assert_array_equal(rows, d.features[start : start + 40])


def test_whole_numbers_in_a_file_are_of_the_default_precision(tmp_path):
    small = np.arange(12, dtype=np.int8)
    path = written(tmp_path / "t.parquet", a=small, b=small > 3, y=small * 1.0, w=small.astype(np.float32))
    assert data.read_parquet(path, target="y", features=["a", "b"]).features.dtype == np.float64
    assert data.read_parquet(path, target="y", features=["a", "w"]).features.dtype == np.float32


def test_what_is_wrong_with_a_parquet_file_is_said(tmp_path):
    path = written(tmp_path / "t.parquet", a=np.arange(9.0), b=[1.0] * 7 + [None] * 2, y=np.arange(9.0))
    with pytest.raises(ValueError, match="'y' is the target"):
        data.read_parquet(path, target="y", features=["a", "y"])
    with pytest.raises(ValueError, match=r"row 7 .*column b"):
        lo.solve(losses.huber, data.read_parquet(path, target="y"))
    with pytest.raises(FileNotFoundError, match="glob"):
        data.read_parquet(tmp_path / "*.parquet", target="y")
    other = written(tmp_path / "u.parquet", a=np.arange(9), y=np.arange(9.0))
    with pytest.raises(ValueError, match="'a' is not in all files"):
        data.read_parquet([path, other], target="y", features="a")


@pytest.mark.parametrize("length", [0, 3, 100, -20])
def test_a_parquet_file_that_is_not_whole_is_named(length, tmp_path):
    path = written(tmp_path / "t.parquet", a=np.arange(9.0), y=np.arange(9.0))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"t\.parquet' is no whole Parquet file"):
        data.read_parquet(path, target="y")


def test_a_parquet_file_of_no_rows_is_named(tmp_path):
    path = written(tmp_path / "t.parquet", a=np.zeros(0), y=np.zeros(0))
    with pytest.raises(ValueError, match=r"t\.parquet holds no rows"):
        data.read_parquet(path, target="y")


UNBOUNDED = {
    "two classes": (losses.logistic, models.logistic, {}),
    "several classes": (losses.softmax_cross_entropy, models.softmax(3), {}),
    "a bias without penalty": (losses.logistic, models.logistic, {"l1": 0.01}),
    "counts of zero": (losses.poisson, models.linear, {}),
}


@pytest.mark.parametrize("case", UNBOUNDED)
def test_that_there_is_no_finite_minimiser_is_seen_in_blocks(case):
    """Of a table that is not in memory there is no second look at the whole."""
    (loss, model, options), d = UNBOUNDED[case], table()
    targets = (d.features[:, 0] > 2).astype(int)
    if case in ("counts of zero", "a bias without penalty"):
        targets = np.zeros(ROWS, int)
    found = lo.solve(loss, data.Dataset(data.Stored(d.features), targets), model=model, **options)
    assert found.status.name == "no finite minimiser"


@pytest.mark.parametrize("kind", [">f8", "<f4", ">i4", np.longdouble])
def test_numbers_of_any_machine_are_read(kind):
    d = table()
    features = np.round(4 * d.features).astype(kind)
    native = features.astype(np.float32 if kind == "<f4" else float)
    expected = lo.solve(losses.logistic, d._replace(features=data.Stored(native)))
    assert_same_bits(lo.solve(losses.logistic, d._replace(features=data.Stored(features))), expected)
    inside = lo.solve(losses.logistic, data.Dataset(features, d.targets.astype(">f8"), d.weights.astype(">f8")))
    assert_same_bits(inside, lo.solve(losses.logistic, d._replace(features=native)))


def test_a_table_that_is_made_in_a_compiled_programme_stays_open():
    d = table()
    cost = jax.jit(lambda l2: lo.solve(losses.logistic, d._replace(features=data.Stored(d.features)), l2=l2).cost)
    for l2 in (0.1, 0.2):
        np.testing.assert_allclose(cost(l2), lo.solve(losses.logistic, d, l2=l2).cost, rtol=1e-12)


def test_what_is_wrong_with_a_stored_table_is_said():
    d = table()
    d.features[321, 2] = np.nan
    with pytest.raises(ValueError, match=r"row 321 .*column 2"):
        lo.solve(losses.logistic, d._replace(features=data.Stored(d.features)))
    with pytest.raises(ValueError, match="rows, columns"):
        data.Stored(np.ones(3))
    with pytest.raises(ValueError, match="not real numbers"):
        data.Stored(np.array([["a"]]))
    with pytest.raises(ValueError, match="503 rows but targets have 2"):
        lo.solve(losses.logistic, data.Dataset(data.Stored(table().features), np.ones(2)))
    with pytest.raises(ValueError, match=r"sweep .* solve for each loss"):
        lo.sweep(losses.logistic, d._replace(features=data.Stored(d.features)))


class Failing:
    """Rows of a table that, once so many reads are done, fail or are slow."""

    def __init__(self, rows):
        self.rows, self.shape, self.dtype = rows, rows.shape, rows.dtype
        self.reads, self.after, self.error, self.wait = 0, np.inf, None, 0.0

    def __getitem__(self, rows):
        self.reads += 1
        time.sleep(self.wait)
        if self.reads > self.after:
            raise self.error
        return self.rows[rows]


@pytest.fixture
def failing():
    d = table()
    rows = Failing(np.asarray(d.features))
    return rows, d._replace(features=data.Stored(rows))


@pytest.mark.parametrize("after", [0, 20])
@pytest.mark.parametrize("error", [OSError("the disk is gone"), MemoryError(), ValueError("odd")], ids=repr)
def test_what_cannot_be_read_is_said_in_a_sentence(failing, error, after):
    rows, d = failing
    expected = lo.solve(losses.logistic, d)
    assert rows.reads > 20
    rows.reads, rows.after, rows.error = 0, after, error
    with pytest.raises(OSError, match=r"^A stored table could not be read, rows \d+ to \d+ of it: ") as raised:
        lo.solve(losses.logistic, d)
    assert (str(error) or repr(error)) in str(raised.value)
    rows.after = np.inf
    assert_same_bits(lo.solve(losses.logistic, d), expected)


@pytest.fixture
def interruptible():
    """As in a terminal: what is started in the background may ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_is_heard_at_the_next_block(failing, interruptible):
    rows, d = failing
    lo.solve(losses.logistic, d)
    whole, rows.reads, rows.wait = rows.reads, 0, 0.05
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        lo.solve(losses.logistic, d)
    assert 0 < rows.reads < whole / 2
    assert signal.set_wakeup_fd(-1) == -1


def test_a_reader_that_interrupts_is_one(failing):
    rows, d = failing
    rows.after, rows.error = 20, KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        lo.solve(losses.logistic, d)


def test_rows_of_another_shape_are_refused(failing):
    rows, d = failing
    rows.rows = rows.rows[:, :-1]
    with pytest.raises(OSError, match=r"an array of shape \(503, 3\) where \(503, 4\) was asked for"):
        lo.solve(losses.logistic, d)


def test_a_masked_number_is_none():
    d = table()
    masked = np.ma.masked_array(np.asarray(d.features), mask=np.arange(ROWS)[:, None] + np.zeros(COLUMNS) == 7)
    with pytest.raises(ValueError, match=r"a masked or infinite value .* row 7"):
        lo.solve(losses.logistic, d._replace(features=data.Stored(masked)))
    found = lo.solve(losses.logistic, d._replace(features=data.Stored(np.ma.masked_array(np.asarray(d.features)))))
    assert_same_bits(found, lo.solve(losses.logistic, d._replace(features=data.Stored(np.asarray(d.features)))))


def test_a_file_that_was_written_anew_is_not_read_on(tmp_path):
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) % 7, "y": np.arange(50.0) % 5})
    frame.to_parquet(path)
    d = data.read_parquet(path, target="y")
    lo.solve(losses.huber, d)
    (2 * frame).to_parquet(path)
    with pytest.raises(OSError, match="written anew after read_parquet had read its targets"):
        lo.solve(losses.huber, d)
