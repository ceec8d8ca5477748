"""A user's own table: a CSV file with a header, read into a Dataset."""

import collections
import csv
import difflib
import io
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._dataset import Dataset, validate
from ._table import Table


MISSING = ("", "na", "n/a", "nan", "null", "none", "?", ".")
# What other files have between cells.
_OTHERS = {";": "';'", "\t": "a tab"}


class Sheet(NamedTuple):
    """A file's cells, as text: one list a column, and the line of the file on which each row ends."""

    columns: dict[str, list[str]]
    lines: list[int]


def read_csv(path: str | PathLike[str], *, target: str, features: Sequence[str] | None = None) -> tuple[Dataset, Table]:
    """Read a comma-separated file whose first line names the columns; return the data and what the columns mean.

    A feature column of text is replaced by one indicator column for each of its values but the first in
    alphabetical order, called `column=value`. A target of text becomes the classes 0, 1, ... in alphabetical order
    (`Table.classes` names them); one whose numbers are only 0 and 1 is binary, and any other is a real target.

    Args:
        path: the file, in UTF-8.
        target: the name of the column to predict.
        features: the columns to predict it from, in order; all the others if None.

    Raises:
        ValueError: a file that is not in UTF-8, leaves a quotation mark open or has no commas between cells, an unknown
            column, a missing value, a row of another length, a column that mixes numbers and text, that names each row
            or whose numbers have a decimal comma or a unit; the sentence gives the row (counted from 0) and the line
            in the file.
        TypeError: a column that is named by something but text.
    """
    sheet = read_columns(path)
    names = _feature_names(sheet, target, features)
    blocks = [_feature(sheet, name) for name in names]
    labels = tuple(label for block in blocks for label in block)
    twice = [label for label, count in collections.Counter(labels).items() if count > 1]
    if twice:
        raise ValueError(f"two features would be called {twice[0]!r}; name each column once, or rename one of them.")
    columns = [column for block in blocks for column in block.values()]
    task, classes, targets = _target(sheet, target)
    matrix: Any = np.column_stack(columns) if columns else np.empty((len(targets), 0))
    table = Table(
        name=Path(path).stem,
        task=task,
        features=labels,
        target=target,
        rows=len(targets),
        source=str(path),
        classes=classes,
    )
    return validate(Dataset(matrix, targets)), table


def read_columns(path: str | PathLike[str]) -> Sheet:
    """The cells of a comma-separated file by the names in its first line. Blank lines are passed over."""
    (_, header), *rows = _rows(path) or [(0, [])]
    header = [name.strip() for name in header]
    rows = [(line, row) for line, row in rows if row]
    if not rows:
        raise ValueError(f"{path} has no rows below a header; give it a first line of column names and lines of data.")
    if len(set(header)) < len(header):
        raise ValueError(f"{path} must start with a line of distinct column names but its first line is {header}.")
    for i, (line, row) in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(
                f"{path} has {len(row)} cells in row {i} (line {line}) where its header names {len(header)} columns; "
                "correct that line."
            )
    columns = {name: [row[j].strip() for _, row in rows] for j, name in enumerate(header)}
    return Sheet(columns, [line for line, _ in rows])


def _rows(path: str | PathLike[str]) -> list[tuple[int, list[str]]]:
    """The rows of a file, the first and blank ones included, with the line on which each ends."""
    text = _text(path)
    _check_separator(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, row) for row in reader)
    except csv.Error as error:
        line = rows[-1][0] + 1 if rows else 1
        raise ValueError(
            f"{path} has a quotation mark in line {line} that opens or closes no cell ({error}); "
            "close, double or remove it."
        ) from None
    for line, row in rows:
        if re.search("[\r\n]", "".join(row)):
            raise ValueError(
                f"{path} has a cell of several lines that ends on line {line}; close the quotation mark that opens it, "
                "or write the cell on one line."
            )
    return rows


def _check_separator(path: str | PathLike[str], text: str) -> None:
    header = text.partition("\n")[0].strip()
    if "," not in header and (other := re.search("[;\t]", header)):
        raise ValueError(
            f"{path} has {_OTHERS[other[0]]} between the names in its first line, and "
            "no comma; save it with commas between cells and points in numbers."
        )


def _text(path: str | PathLike[str]) -> str:
    stored = Path(path).read_bytes()
    try:
        return stored.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = stored.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is not in UTF-8: line {line} has the byte 0x{stored[error.start]:02x}; save it as UTF-8, which "
            "spreadsheets call 'CSV UTF-8'."
        ) from None


def _feature_names(sheet: Sheet, target: str, features: Sequence[str] | None) -> list[str]:
    if features is None:
        names = [name for name in sheet.columns if name != target]
    else:
        names = [features] if isinstance(features, str) else list(features)
    for name in (target, *names):
        _check_column(sheet, name)
    if target in names:
        raise ValueError(f"{target!r} is the target and cannot be a feature too; leave it out of features.")
    if features is None and "" in names:
        raise ValueError("a column has no name, as saved row numbers have; list the columns to use in features.")
    return names


def _feature(sheet: Sheet, name: str) -> dict[str, np.ndarray]:
    values = _values(sheet, name, "leave it out by listing the columns to use in features")
    if values.dtype.kind == "f":
        return {name: values}
    levels = np.unique(values)
    return {f"{name}={level}": (values == level).astype(float) for level in levels[1:]}


def _target(sheet: Sheet, name: str) -> tuple[str, tuple[str, ...], Any]:
    """The task, the names of the classes and the numbers of the target column."""
    values = _values(sheet, name, "predict a column of numbers, or of classes that have several rows each")
    if values.dtype.kind == "f":
        if set(values.tolist()) == {0.0, 1.0}:
            return "binary", ("0", "1"), values.astype(int)
        return "regression", (), values
    levels, codes = np.unique(values, return_inverse=True)
    if len(levels) == 1:
        raise ValueError(
            f"the target {name!r} is '{levels[0]}' in all {len(values)} rows; there is nothing to predict."
        )
    return "binary" if len(levels) == 2 else "multiclass", tuple(levels.tolist()), codes


def _values(sheet: Sheet, name: str, remedy: str) -> np.ndarray:
    """A column as floats or, where no cell is a number, as text; `remedy` is for text that names each row."""
    cells = sheet.columns[name]
    _refuse(sheet, name, [cell.lower() in MISSING for cell in cells], "no value", "fill or remove it")
    parsed = [_number(cell) for cell in cells]
    text = [value is None for value in parsed]
    if all(text):
        written = [_number(re.sub(r"[,%$€£\s]", "", cell)) is not None for cell in cells]
        _refuse(sheet, name, written, "numbers with a comma or a unit", "write them as in 1234.5")
        if len(set(cells)) == len(cells) > 2:
            raise ValueError(
                f"column {name!r} holds a different text in each of its {len(cells)} rows, like a name; {remedy}."
            )
        return np.array(cells)
    # Were this text taken for a category, one mistyped number would turn the whole column into indicators.
    _refuse(sheet, name, text, "text among numbers", "write it as a number")
    return np.array(parsed, dtype=float)


def _refuse(sheet: Sheet, name: str, bad: list[bool], what: str, remedy: str) -> None:
    if any(bad):
        first, count = bad.index(True), sum(bad)
        raise ValueError(
            f"column {name!r} has {what} in {count} row{'s' if count > 1 else ''}, "
            f"the first row {first} (line {sheet.lines[first]}: {sheet.columns[name][first]!r}); {remedy}."
        )


def _check_column(sheet: Sheet, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name of a column, which is text; the columns are {', '.join(sheet.columns)}.")
    if name not in sheet.columns:
        known = ", ".join(sheet.columns)
        near = difflib.get_close_matches(name, sheet.columns, n=1, cutoff=0)[0]
        raise ValueError(f"there is no column {name!r}; did you mean {near!r}? The columns are {known}.")


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
