"""A user's own large table: Parquet files, of which a block of rows is in memory at a time."""

import bisect
import itertools
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from ._dataset import Dataset
from ._stored import Stored


def read_parquet(
    path: str | PathLike[str], *, target: str, features: Sequence[str] | None = None, weights: str | None = None
) -> Dataset:
    """A Parquet file as a data set whose features stay on disk and are read by row groups; targets are read at once.

    Needs pyarrow. `solve` goes through such a table in blocks; `fit` reads it whole.

    Args:
        path: the file.
        target: the name of the column to predict.
        features: the columns to predict it from, in order; all the others if None.
        weights: the name of a column of non-negative importances, if there is one.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: an unknown column, or one that holds no numbers.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise ImportError("read_parquet needs pyarrow: install lossopt[parquet].") from None
    file = pyarrow.parquet.ParquetFile(path)
    present = file.schema_arrow.names
    names = [name for name in present if name not in (target, weights)] if features is None else list(features)
    asked = [*names, target, *([] if weights is None else [weights])]
    unknown = [name for name in asked if name not in present]
    if unknown or not names:
        raise ValueError(f"{path} has no column {unknown or 'but the target'}; its columns are {', '.join(present)}.")
    for name in asked:
        kind = file.schema_arrow.field(name).type
        if not _numeric(kind):
            raise ValueError(f"column {name!r} of {path} holds {kind}, not numbers: encode it, or leave it out.")
    of_column = lambda name: file.read(columns=[name]).column(0).to_numpy()  # noqa: E731
    by_row = None if weights is None else of_column(weights)
    table: Any = Stored(_RowGroups(file, names))
    return Dataset(table, of_column(target), by_row)


def _numeric(kind: Any) -> bool:
    import pyarrow

    kinds = pyarrow.types
    return any(of_kind(kind) for of_kind in (kinds.is_integer, kinds.is_floating, kinds.is_boolean))


class _RowGroups:
    """Rows of a Parquet file by slices; the row group last read is kept, for the next slice begins in it."""

    def __init__(self, file: Any, names: list[str]) -> None:
        self._file, self._names = file, names
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self._ends = list(itertools.accumulate(sizes))
        self._kept: tuple[int, np.ndarray] = (-1, np.empty(0))
        self.shape = (file.metadata.num_rows, len(names))
        kinds = [file.schema_arrow.field(name).type.to_pandas_dtype() for name in names]
        self.dtype = np.result_type(np.float32, *kinds)

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        parts = []
        while start < stop:
            group = bisect.bisect_right(self._ends, start)
            first, end = (self._ends[group - 1] if group else 0), self._ends[group]
            parts.append(self._group(group)[start - first : stop - first])
            start = min(end, stop)
        return np.concatenate(parts) if parts else np.empty((0, self.shape[1]), self.dtype)

    def _group(self, number: int) -> np.ndarray:
        if self._kept[0] != number:
            columns = self._file.read_row_group(number, columns=self._names)
            # A missing value becomes NaN, of which the check of the data tells.
            cells = [columns.column(name).to_numpy().astype(self.dtype) for name in self._names]
            self._kept = (number, np.column_stack(cells))
        return self._kept[1]
