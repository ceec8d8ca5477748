"""Dataset: features, targets and weights; and `validate`, the one place where a user's data is looked at.

`validate` works on the host, before anything is compiled; given tracers, which it cannot look into, it does nothing.
"""

import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Real, Shaped

from ._finite import finite, finite_afar, surely_finite
from ._stored import native, Stored


# One number of any real type: Python's, numpy's, or an array of shape (), traced or not.
Scalar = Real[ArrayLike, ""]


class Dataset(NamedTuple):
    """The examples to fit: row i of each field is example i.

    Attributes:
        features: (n, d) floats.
        targets: (n,): real for regression, {0, 1} for binary, integers in [0, k) for multiclass; or (n, k)
            probabilities for a multiclass loss that takes soft labels.
        weights: (n,) non-negative importances of the examples, in any unit, or `None` for equal ones.

    The fields may be numpy arrays, lists or pandas objects: `validate`, which `fit` and `solve` call, converts them.
    Features that are too large for memory may be `Stored`.
    """

    features: Float[Array, "n d"]
    targets: Shaped[Array, " n *k"]
    weights: Float[Array, " n"] | None = None


def traced(*values: Any) -> bool:
    """Whether any leaf of `values` is a tracer, so that its numbers cannot be looked at."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def spread(value: Any) -> bool:
    """Whether an array lies on the devices of several processes, so that no process can look at all of it."""
    return isinstance(value, jax.Array) and not traced(value) and not value.is_fully_addressable


def known(name: str, value: Any) -> float | None:
    """A scalar as a number of the host's, or None when it is traced; ValueError with its name if it is no number."""
    if traced(value):
        return None
    try:
        return float("" if isinstance(value, str) else value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r}: give a number.") from None


def validate(dataset: Any, *, stored: bool = False) -> Dataset:
    """Check a data set and convert it to JAX arrays; return it as it is when any leaf is a tracer.

    Integer and boolean features and weights become the default float dtype, boolean targets the default integer
    dtype. Integer targets stay integers, and a floating dtype that JAX is set up to hold is kept.

    Args:
        dataset: a `Dataset` of JAX or numpy arrays, (nested) lists or pandas objects.
        stored: leave `Stored` features where they are, and only check them; else they are read.

    Raises:
        TypeError: anything but a `Dataset`.
        ValueError: shapes that do not fit together, a value that is no finite real number, a negative weight. The
            sentence says what was found, in how many rows, the first such row (counted from 0) and the remedy.
    """
    checked = check(dataset, stored=stored)
    if traced(checked):
        return checked
    on_device = lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf  # noqa: E731
    return Dataset(*map(on_device, checked))


def check(dataset: Any, *, stored: bool = False) -> Dataset:
    """What `validate` does, but what is in the host's memory stays there, as numpy arrays."""
    if not isinstance(dataset, Dataset):
        raise TypeError(
            f"expected a Dataset but got a {type(dataset).__name__}; build one with data.Dataset(features, targets)."
        )
    if traced(dataset):
        return dataset
    features: Any = dataset.features
    if isinstance(features, Stored) and stored:
        features.check()
    else:
        features = _features(features.whole() if isinstance(features, Stored) else features)
    rows = features.shape[0]
    targets: Any = _targets(dataset.targets, rows)
    weights: Any = None if dataset.weights is None else _weights(dataset.weights, rows)
    return Dataset(features, targets, weights)


def _features(values: Any) -> Array | np.ndarray:
    given = _numbers(values, "features")
    if given.ndim == 1 and given.size > 0:
        raise ValueError(
            f"features have shape {given.shape} where (rows, columns) is expected; "
            "for a single feature pass features.reshape(-1, 1)."
        )
    if given.ndim > 2 or given.ndim == 0:
        raise ValueError(
            f"features have shape {given.shape} where (rows, columns) is expected; "
            "flatten each example to a vector, or use jax.vmap to fit several data sets at once."
        )
    if given.shape[0] == 0:
        raise ValueError(f"features have shape {given.shape}, no rows; give at least one example.")
    if given.shape[1] == 0:
        raise ValueError(f"features have shape {given.shape}, no columns; give at least one feature.")
    return _converted(values, given, "features", keep_integers=False)


def _targets(values: Any, rows: int) -> Array | np.ndarray:
    given = _numbers(values, "targets")
    if given.ndim == 2 and given.shape[1] == 1:
        raise ValueError(
            f"targets have shape {given.shape}, a column where a vector is expected; "
            "pass targets[:, 0] (of a pandas frame, targets.iloc[:, 0])."
        )
    if given.ndim not in (1, 2):
        raise ValueError(f"targets have shape {given.shape} where ({rows},) or ({rows}, classes) is expected.")
    _same_length(given, rows, "targets")
    return _converted(values, given, "targets", keep_integers=True)


def _weights(values: Any, rows: int) -> Array | np.ndarray:
    given = _numbers(values, "weights")
    if given.ndim != 1:
        raise ValueError(f"weights have shape {given.shape} where ({rows},) is expected; give one number for each row.")
    _same_length(given, rows, "weights")
    weights = _converted(values, given, "weights", keep_integers=False)
    # Those that JAX holds are known, yet inside someone's jit it would not look at them.
    with jax.ensure_compile_time_eval():
        negative = weights < 0
        if negative.any():
            where = "in some process" if spread(weights) else _where(np.asarray(negative))
            raise ValueError(f"weights are negative {where}; use zero to leave a row out.")
        if not (weights > 0).any():
            raise ValueError(f"weights are zero in all {rows} rows; give at least one row a positive weight.")
        tiny = jnp.finfo(weights.dtype).tiny
        if not (weights >= tiny).any():
            raise ValueError(f"weights are less than {weights.dtype} computes with in all rows; multiply them by more.")
    return weights


def _same_length(given: np.ndarray | Array, rows: int, name: str) -> None:
    if given.shape[0] != rows:
        raise ValueError(
            f"features have {rows} rows but {name} have {given.shape[0]} (shape {given.shape}); "
            "give one of each for every example."
        )


def _numbers(values: Any, name: str) -> np.ndarray | Array:
    """`values` as a host array of real numbers of any dtype; an array of several processes, or one that an accelerator
    finds finite, as it is."""
    if spread(values) or finite_afar(values):
        return values
    try:
        given = np.asarray(values)
    except ValueError:  # numpy's answer to nested lists of unequal lengths
        raise ValueError(f"{name} have rows of different lengths; give each row the same number of columns.") from None
    if isinstance(values, np.ma.MaskedArray):
        _refuse(np.ma.getmaskarray(values), f"{name} are masked", "drop those rows or fill the gaps")
    if jnp.issubdtype(given.dtype, jnp.complexfloating):
        raise ValueError(
            f"{name} are complex numbers ({given.dtype}) in all {len(given)} rows, the first row 0; "
            "pass their real and imaginary parts as separate columns."
        )
    # jnp, not np: bfloat16 is no number to numpy, and a time span is one.
    if given.dtype == bool or (jnp.issubdtype(given.dtype, jnp.number) and given.dtype.kind != "m"):
        return given.astype(native(given.dtype), copy=False)
    return _from_cells(np.asarray(values, dtype=object), name)


def _from_cells(cells: np.ndarray, name: str) -> np.ndarray:
    """An array of Python objects as floats; a missing cell (None, pandas.NA) becomes NaN."""

    def missing(cell: Any) -> bool:
        return cell is None or type(cell).__name__ in ("NAType", "NaTType")

    def number(cell: Any) -> bool:
        return missing(cell) or isinstance(cell, numbers.Real | np.bool_)

    if cells.ndim == 0:
        raise ValueError(f"{name} are a {type(cells.item()).__name__}, not an array of numbers; convert them to one.")
    bad = np.array([not number(cell) for cell in cells.flat], dtype=bool).reshape(cells.shape)
    if bad.any():
        cell = cells[bad][0]
        remedy = "encode classes as integers 0, 1, ..." if name == "targets" else "make numbers of it or leave it out"
        raise ValueError(f"{name} hold {cell!r} ({type(cell).__name__}), not a number, {_where(bad)}; {remedy}.")
    return np.array([np.nan if missing(cell) else float(cell) for cell in cells.flat]).reshape(cells.shape)


def _converted(values: Any, given: np.ndarray | Array, name: str, *, keep_integers: bool) -> Array | np.ndarray:
    """`given` in the dtype that `validate` promises, and checked.

    All of it is done by numpy: inside someone's jit, jnp would stage even what is known.
    """
    if spread(values):
        return _of_many(values, name, keep_integers=keep_integers)
    if isinstance(given, jax.Array):
        return _unnamed(given)
    floating = jnp.issubdtype(given.dtype, jnp.floating)
    if floating or (keep_integers and given.dtype != bool):
        dtype = jax.dtypes.canonicalize_dtype(given.dtype)
    else:
        dtype = jnp.result_type(int if keep_integers else float)
    with np.errstate(over="ignore"):
        host = given.astype(dtype, copy=False)
    if floating and not surely_finite(host, values):
        _refuse(np.isnan(given), f"{name} hold NaN", "drop those rows or fill the gaps")
        _refuse(np.isinf(given), f"{name} hold an infinite value", "drop those rows or correct them")
        _refuse(np.isinf(host), f"{name} hold values beyond {dtype}", "rescale them or turn on float64")
    elif keep_integers and not floating:
        _refuse(host != given, f"{name} hold integers beyond {dtype}", "pass them as floats")
    # What is on a device already stays there.
    return _unnamed(values) if isinstance(values, jax.Array) and values.dtype == dtype else host


def _of_many(values: jax.Array, name: str, *, keep_integers: bool) -> Array:
    """An array that lies on several processes: checked by all of them together, so that all go on or none."""
    if not jnp.issubdtype(values.dtype, jnp.floating) and not (
        keep_integers and jnp.issubdtype(values.dtype, jnp.integer)
    ):
        raise ValueError(f"{name} of several processes are of type {values.dtype}; make floats of them first.")
    values = _unnamed(values)
    if not finite(values):
        raise ValueError(f"{name} hold NaN or an infinite value in some process; drop those rows or correct them.")
    return values


def _unnamed(values: jax.Array) -> Array:
    """Where axes of a mesh are explicit, the same array with automatic ones: the compiler places what is computed."""
    place = values.sharding
    if not isinstance(place, jax.sharding.NamedSharding) or not place.mesh._any_axis_explicit:
        return values
    mesh = jax.sharding.Mesh(place.mesh.devices, place.mesh.axis_names)
    shards = [shard.data for shard in values.addressable_shards]
    return jax.make_array_from_single_device_arrays(values.shape, jax.sharding.NamedSharding(mesh, place.spec), shards)


def _refuse(bad: np.ndarray, what: str, remedy: str) -> None:
    if bad.any():
        raise ValueError(f"{what} {_where(bad)}; {remedy}.")


def _where(bad: np.ndarray) -> str:
    """`in 2 rows, the first row 17 (counting from 0), column 3`."""
    first = np.argwhere(bad)[0]
    rows = int(bad.reshape(bad.shape[0], -1).any(axis=1).sum())
    column = f", column {first[1]}" if bad.ndim == 2 else ""
    return f"in {rows} row{'s' if rows > 1 else ''}, the first row {first[0]} (counting from 0){column}"
