"""Tables that stay where they are: rows of the features are read when a solver asks for them."""

import contextlib
import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ._reading import reading, watched


# Numbers in a block that is looked at by the host.
_BLOCK = 2**20

_numbers_given = itertools.count()
_open: weakref.WeakValueDictionary[int, "Stored"] = weakref.WeakValueDictionary()
_held: set["Stored"] = set()


def native(dtype: np.dtype) -> np.dtype:
    """The kind of number that JAX has for one: in the order of this machine's bytes, and of 64 bits at most."""
    return np.dtype(np.float64) if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


@jax.tree_util.register_pytree_node_class
class Stored:
    """Features (n, d) that are not in memory, as `Dataset.features`; `solve` reads them by blocks of rows.

    Attributes:
        shape: (n, d).
        dtype: of what is read: that of the table, or the default float where it holds whole numbers.

    Args:
        rows: anything with a `shape` (n, d) and a `dtype` that gives rows by `rows[start:stop]`: a memory-mapped array
            (`numpy.load(path, mmap_mode="r")`), an array of h5py or zarr, the features of `data.read_parquet`.

    Raises:
        TypeError: `rows` is no such thing.
        ValueError: the table is not of two dimensions, or holds anything but real numbers.
    """

    def __init__(self, rows: Any) -> None:
        if not all(hasattr(rows, name) for name in ("shape", "dtype", "__getitem__")):
            raise TypeError(
                f"a stored table is an array that is read by rows[start:stop], not a {type(rows).__name__}: of a file, "
                'numpy.load(path, mmap_mode="r") or data.read_parquet(path, target=...); of a frame, its to_numpy().'
            )
        kind = np.dtype(rows.dtype)
        if len(rows.shape) != 2 or 0 in rows.shape:
            raise ValueError(f"a stored table has shape {tuple(rows.shape)} where (rows, columns) is expected.")
        if kind.kind not in "biuf":
            raise ValueError(f"a stored table holds {kind}, not real numbers; convert it first.")
        self.shape: tuple[int, int] = (int(rows.shape[0]), int(rows.shape[1]))
        self.dtype = jax.dtypes.canonicalize_dtype(native(kind)) if kind.kind == "f" else jnp.result_type(float)
        self._rows = rows
        # Compiled programmes know a table by its number, so that one of the same shape compiles nothing again.
        self._number: Any = np.asarray(next(_numbers_given), np.int32)
        _open[int(self._number)] = self

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.shape[0] * self.shape[1]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Some rows, in memory; a number that is masked is NaN."""
        start, stop, step = rows.indices(self.shape[0])
        with reading(int(self._number), f"rows {start} to {stop - 1}"), np.errstate(over="ignore"):
            found, asked = self._rows[rows], (len(range(start, stop, step)), self.shape[1])
            if np.shape(found) != asked:
                raise ValueError(f"it gave an array of shape {np.shape(found)} where {asked} was asked for.")
            if np.ma.is_masked(found):
                return found.astype(self.dtype).filled(np.nan)
            return np.asarray(found).astype(self.dtype, copy=False)

    def whole(self) -> np.ndarray:
        """All rows, in memory; OSError where some cannot be read."""
        with self.watched():
            return self[:]

    def read(self, start: Int[Array, ""], count: int) -> Float[Array, "count d"]:
        """`count` rows from `start` on, also inside a compiled programme."""

        def look_up(number: Any, start: Any) -> np.ndarray:
            first = int(start)
            return _open[int(number)][first : first + count]

        shape = jax.ShapeDtypeStruct((count, self.shape[1]), self.dtype)
        return jax.pure_callback(look_up, shape, self._number, start, vmap_method="sequential")

    def take(self, places: Int[Array, " k"]) -> Float[Array, "k d"]:
        """The rows at some places, also inside a compiled programme; the table is read through once."""

        def look_up(number: Any, places: Any) -> np.ndarray:
            table, places = _open[int(number)], np.asarray(places)
            found = np.empty((places.size, table.shape[1]), table.dtype)
            for start, block in table.blocks():
                here = np.flatnonzero((places >= start) & (places < start + len(block)))
                found[here] = block[places[here] - start]
            return found

        shape = jax.ShapeDtypeStruct((*places.shape, self.shape[1]), self.dtype)
        return jax.pure_callback(look_up, shape, self._number, places, vmap_method="sequential")

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks of rows in memory, one after the other, each with the number of its first row."""
        rows = max(_BLOCK // self.shape[1], 1)
        for start in range(0, self.shape[0], rows):
            yield start, self[start : start + rows]

    def watched(self) -> contextlib.AbstractContextManager[None]:
        """Around what reads the table: Ctrl-C is heard, and what cannot be read is an OSError with a sentence."""
        return watched(int(self._number))

    def check(self) -> None:
        """Raise ValueError at the first number that is not finite, OSError where some cannot be read."""
        with self.watched():
            for start, block in self.blocks():
                bad = ~np.isfinite(block)
                if bad.any():
                    row, column = np.argwhere(bad)[0]
                    names = getattr(self._rows, "names", range(self.shape[1]))
                    raise ValueError(
                        f"features hold NaN, a masked or infinite value or one beyond {self.dtype}, the first in row "
                        f"{start + row} (counting from 0), column {names[column]}; drop such rows or correct them."
                    )

    def hold(self) -> None:
        """Keep the table open from now on: it is a constant of a compiled programme, which may read it at any time."""
        if not isinstance(self._number, jax.core.Tracer):
            _held.add(self)

    def tree_flatten(self) -> tuple[tuple[Any], tuple[Any, ...]]:
        """The number of the table; its shape and dtype."""
        return (self._number,), (self.shape, self.dtype)

    @classmethod
    def tree_unflatten(cls, facts: tuple[Any, ...], numbers: tuple[Any]) -> "Stored":
        """What a compiled programme sees: no rows, but their number."""
        table = object.__new__(cls)
        table.shape, table.dtype = facts
        (table._number,) = numbers
        return table
