"""Results: what one experiment found. Saved as a folder of plain files that appears whole or not at all.

The same results give the same bytes: no dates, no paths, fixed identifiers in the SVG.
"""

import csv
import dataclasses
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .. import plots
from ._claim import Claim, from_dict
from ._environment import environment


Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Results:
    """What one experiment found. An experiment's `run` fills the first five; the command adds the rest.

    Attributes:
        rows: the tidy table: one mapping of column name -> number, text, bool or None a row.
        curves: arrays too long for a table.
        claims: what was expected and what was measured.
        captions: for each figure, in the order of the page, what it shows and how to read it; the first sentence
            also stands in for the picture where it cannot be seen.
        config: the constants of the design, numbers and text only.
        name, question, design: what the experiment is called, asks and does.
        figures: the pictures, under the names of the captions.
    """

    rows: Sequence[Row] = ()
    curves: Mapping[str, Any] = field(default_factory=dict)
    claims: Sequence[Claim] = ()
    captions: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    question: str = ""
    design: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Claim, ...]:
        """The claims that do not hold."""
        return tuple(claim for claim in self.claims if not claim.holds)


class Saved(NamedTuple):
    """Results as read back: their figures are `drawings`, name -> SVG, and the environment is that of the run."""

    results: Results
    environment: Mapping[str, str]
    drawings: Mapping[str, str]


def save(results: Results, out_dir: str | PathLike[str]) -> dict[str, Path]:
    """Write `out_dir/<name>/`, replacing what an earlier run left; return file name -> path.

    The files are config.json, env.json, claims.json, results.csv, curves.npz and an SVG and a PNG of each figure.
    They are written beside the folder and moved into place when complete.

    Raises:
        ValueError: a name that is no identifier, figures without captions, a value that has no plain form, or a file
            where a folder is to be.
    """
    _check(results)
    folder, partial, former = folders(out_dir, results.name)
    for leftover in (partial, former):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(results, partial)
        if folder.exists():
            folder.rename(former)
        partial.rename(folder)
    finally:
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)
    return {path.name: path for path in sorted(folder.iterdir())}


def folders(out_dir: str | PathLike[str], name: str) -> tuple[Path, Path, Path]:
    """Where results of that name go, where they are written, and where those before them are moved to.

    Raises:
        ValueError: one of the three is there and is no folder: somebody else's, and so not to be replaced.
    """
    folder, partial, former = (Path(out_dir) / each for each in (name, f".{name}.partial", f".{name}.old"))
    for place in (folder, partial, former):
        if os.path.lexists(place) and not place.is_dir():
            raise ValueError(f"{place} is no folder, and results go there: move it, or have them saved elsewhere.")
    return folder, partial, former


def load(path: str | PathLike[str]) -> Saved:
    """Read a folder that `save` wrote."""
    folder = Path(path)
    about = _from_json(folder / "config.json")
    with np.load(folder / "curves.npz", allow_pickle=False) as archive:
        curves = dict(archive)
    results = Results(
        name=about["name"],
        question=about["question"],
        design=about["design"],
        captions=about["captions"],
        config=about["config"],
        claims=tuple(map(from_dict, _from_json(folder / "claims.json"))),
        rows=_read_table(folder / "results.csv"),
        curves=curves,
    )
    drawings = {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in about["captions"]}
    return Saved(results, _from_json(folder / "env.json"), drawings)


def saved(out_dir: str | PathLike[str], *, order: Iterable[str] = ()) -> list[Path]:
    """The folders of results under `out_dir`: those in `order` first, then the others by name."""
    first = list(order)
    folders = [path.parent for path in Path(out_dir).glob("*/config.json") if not path.parent.name.startswith(".")]
    place = {name: position for position, name in enumerate(first)}
    return sorted(folders, key=lambda folder: (place.get(folder.name, len(first)), folder.name))


def _check(results: Results) -> None:
    if not results.name.isidentifier():
        raise ValueError(f"name={results.name!r}: results go to a folder of that name; use letters, digits and _.")
    if set(results.figures) != set(results.captions):
        raise ValueError(
            f"The figures are {sorted(results.figures)} but the captions are for {sorted(results.captions)}: "
            "give each figure one caption under its name."
        )


def _write(results: Results, folder: Path) -> None:
    about = {name: getattr(results, name) for name in ("name", "question", "design", "captions", "config")}
    _to_json(folder / "config.json", about)
    _to_json(folder / "env.json", environment())
    _to_json(folder / "claims.json", [dataclasses.asdict(claim) | {"holds": claim.holds} for claim in results.claims])
    _write_table(folder / "results.csv", results.rows)
    curves: dict[str, Any] = {name: np.asarray(curve) for name, curve in results.curves.items()}
    np.savez(folder / "curves.npz", **curves)
    for name, figure in results.figures.items():
        for suffix in ("svg", "png"):
            plots.save(figure, folder / f"{name}.{suffix}")


def plain(value: Any) -> Any:
    """The value as JSON can hold it: arrays as lists, NaN and infinity as the text that `float` reads.

    Raises:
        ValueError: an object that is neither number, text, array, list nor mapping.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if hasattr(value, "tolist"):
        return plain(np.asarray(value).tolist())
    raise ValueError(f"{value!r} cannot be saved: give a number, text, an array, a list or a mapping.")


def shown(value: Any) -> str:
    """A cell of a table for people: six significant digits, an empty cell for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}".replace("-", "−") if isinstance(value, float) else str(value)


def _to_json(path: Path, value: Any) -> None:
    text = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _from_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    columns = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def _cell(value: Any) -> str:
    # repr of a Python float is the shortest text that reads back to the same bits.
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, str):
        return value or ""
    return repr(value)


def _read_table(path: Path) -> tuple[Row, ...]:
    with path.open(newline="", encoding="utf-8") as file:
        return tuple({name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(file))


def _value(cell: str) -> Any:
    if cell in ("", "True", "False"):
        return {"": None, "True": True, "False": False}[cell]
    for read in (int, float):
        try:
            return read(cell)
        except ValueError:
            continue
    return cell
