"""A user's own large table: Parquet files, of which a block of rows is in memory at a time."""

import bisect
import collections
import itertools
import threading
from collections.abc import Iterable, Sequence
from os import fspath, PathLike, stat
from pathlib import Path
from typing import Any

import numpy as np

from ._dataset import Dataset
from ._stored import Stored


Paths = str | PathLike[str] | Sequence[str | PathLike[str]]


def read_parquet(
    path: Paths, *, target: str, features: str | Sequence[str] | None = None, weights: str | None = None
) -> Dataset:
    """Parquet files as a data set whose features stay on disk and are read by row groups; targets are read at once.

    Needs pyarrow. `solve` goes through such a table in blocks; `fit` reads it whole.

    Args:
        path: the file; several of the same columns, one after the other; or a folder of them, in the order of names.
        target: the name of the column to predict.
        features: the columns to predict it from, in order; all the others if None, but for the index of a frame.
        weights: the name of a column of non-negative importances, if there is one.

    Raises:
        ImportError: pyarrow is not installed.
        TypeError: `path` is no path, nor several.
        FileNotFoundError: there is no such file, or none in the folder.
        ValueError: a file that is not whole, or of no rows; an unknown column, one that holds no numbers, or files
            whose columns differ.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ImportError("read_parquet needs pyarrow: install lossopt[parquet].") from None
    paths = _paths(path)
    files = [_opened(each) for each in paths]
    schema = files[0].schema_arrow
    names = _chosen(path, schema, target, features, weights)
    for name in (*names, target, *([] if weights is None else [weights])):
        kind = schema.field(name).type
        if not _numeric(kind):
            raise ValueError(f"column {name!r} of {path} holds {kind}, not numbers: encode it, or leave it out.")
        if any(name not in file.schema_arrow.names or file.schema_arrow.field(name).type != kind for file in files):
            raise ValueError(f"column {name!r} is not in all files of {path}, or not of one type: write them alike.")

    if not any(file.metadata.num_rows for file in files):
        raise ValueError(f"{path} holds no rows: give at least one example.")

    def of_column(name: str) -> Any:
        return np.concatenate([file.read(columns=[name]).column(0).to_numpy() for file in files])

    table: Any = Stored(_RowGroups(paths, files, names))
    return Dataset(table, of_column(target), None if weights is None else of_column(weights))


def _paths(path: Paths) -> list[str]:
    several = [path] if isinstance(path, str | PathLike) or not isinstance(path, Iterable) else list(path)
    if not all(isinstance(each, str | PathLike) for each in several):
        raise TypeError(f"path={path!r} is no path of a file: give a str, a pathlib.Path, or a list of them.")
    folder = Path(several[0]) if len(several) == 1 else None
    found = sorted(folder.glob("*.parquet")) if folder is not None and folder.is_dir() else several
    missing = [fspath(each) for each in found if not Path(each).is_file()]
    if missing or not found:
        raise FileNotFoundError(
            f"{path!r} is no Parquet file, nor a folder of some, nor a list of them"
            f"{f' (no file {missing[0]!r})' if missing else ''}; of a pattern, pass sorted(glob.glob(pattern))."
        )
    return [fspath(each) for each in found]


def _opened(path: str) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path!r} is no whole Parquet file: write it, or copy it, again.") from error


def _chosen(path: Paths, schema: Any, target: str, features: Any, weights: str | None) -> list[str]:
    """The names of the features, once all that are asked for are there."""
    # What pandas keeps its rows' names in is no column of the frame.
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    others = [name for name in schema.names if name not in (target, weights, *index)]
    names = others if features is None else [features] if isinstance(features, str) else list(features)
    asked = [*names, target, *([] if weights is None else [weights])]
    unknown = [name for name in asked if name not in schema.names]
    if unknown or not names:
        columns = ", ".join(schema.names)
        raise ValueError(f"{path} has no column {unknown or 'but the target'}; its columns are {columns}.")
    twice = [name for name, count in collections.Counter(schema.names).items() if count > 1 and name in asked]
    if twice:
        raise ValueError(f"{path} has several columns called {twice[0]!r}: give each a name of its own.")
    for name, role in ((target, "the target"), (weights, "the weights")):
        if name in names:
            raise ValueError(f"{name!r} is {role} and cannot be a feature too; leave it out of features.")
    return names


def _numeric(kind: Any) -> bool:
    import pyarrow

    kinds = pyarrow.types
    return any(of_kind(kind) for of_kind in (kinds.is_integer, kinds.is_floating, kinds.is_boolean))


def _written(path: str) -> tuple[int, int] | None:
    """When a file was last written, and its size; None of one that is gone, which can be read as long as it is open."""
    try:
        found = stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


class _RowGroups:
    """Rows of Parquet files by slices; the row group last read is kept, for the next slice begins in it."""

    def __init__(self, paths: list[str], files: list[Any], names: list[str]) -> None:
        self._groups = [
            (path, file, number)
            for path, file in zip(paths, files, strict=True)
            for number in range(file.num_row_groups)
        ]
        sizes = [file.metadata.row_group(number).num_rows for _, file, number in self._groups]
        self._ends = list(itertools.accumulate(sizes))
        self._kept: tuple[int, np.ndarray] = (-1, np.empty(0))
        self._written = {path: _written(path) for path in paths}
        # A file is read by one thread at a time.
        self._reading = threading.Lock()
        self.names, self.shape = names, (sum(sizes), len(names))
        kind = np.result_type(*(files[0].schema_arrow.field(name).type.to_pandas_dtype() for name in names))
        # A missing value becomes NaN, of which the check of the data tells, also among whole numbers.
        self.dtype = kind if kind.kind == "f" else np.dtype(float)

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
        path, file, place = self._groups[number]
        if _written(path) not in (self._written[path], None):
            raise ValueError(f"{path!r} was written anew after read_parquet had read its targets: read it again.")
        with self._reading:
            if self._kept[0] != number:
                columns = file.read_row_group(place, columns=self.names)
                cells = [columns.column(name).to_numpy().astype(self.dtype) for name in self.names]
                self._kept = (number, np.column_stack(cells))
            return self._kept[1]
