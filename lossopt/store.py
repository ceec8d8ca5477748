"""Finished parts of long work on disk, so that work that was stopped goes on where it was.

A folder holds a manifest, `sweep.json` or `fit.json`, which says what was asked for, and one file a part. Both are
written under another name and renamed, so that there is never half a file. Of several processes the first writes.
"""

import functools
import hashlib
import json
import os
import pathlib
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from . import __version__


class Store:
    """The parts of one piece of work in one folder; of `None` nothing is kept."""

    def __init__(self, kind: str, folder: str | os.PathLike | None, asked: Mapping[str, Any]) -> None:
        """Open a folder, new or of the same work; `kind` is what that is, "sweep" or "fit".

        Raises:
            ValueError: it holds other work; the sentence says in what they differ.
        """
        self._folder = None if folder is None else pathlib.Path(folder)
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        asked = {**asked, "versions": (__version__, jax.__version__, jnp.result_type(float).name)}
        manifest, digests = self._folder / f"{kind}.json", {name: digest(value) for name, value in asked.items()}
        if not manifest.exists():
            strangers = [path.name for path in self._folder.iterdir()]
            if strangers:
                raise ValueError(f"resume={str(folder)!r} holds no {kind} but {strangers[0]}: give an empty folder.")
            if jax.process_index() == 0:
                _write(manifest, lambda path: path.write_text(json.dumps(digests, indent=1)))
            return
        former = json.loads(manifest.read_text())
        differing = [name for name in {**former, **digests} if former.get(name) != digests.get(name)]
        if differing:
            raise ValueError(
                f"resume={str(folder)!r} holds another {kind}, which differs in: {', '.join(sorted(differing))}. "
                "Give another folder, or remove that one."
            )

    def load(self, name: str) -> list[np.ndarray] | None:
        """The arrays of a part, or None where it is not finished, or damaged."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as found:
                return [found[f"{i:04}"] for i in range(len(found.files))]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None

    def save(self, name: str, arrays: list[np.ndarray]) -> None:
        """Keep the arrays of a part."""
        path = self._path(name)
        if path is not None and jax.process_index() == 0:
            named = {f"{i:04}": array for i, array in enumerate(arrays)}
            # To an open file: savez would add an ending to a temporary name.
            _write(path, lambda temporary: _savez(temporary, named))

    def _path(self, name: str) -> pathlib.Path | None:
        return None if self._folder is None else self._folder / f"{name}.npz"


def digest(value: Any) -> str:
    """The same text for the same value in every process: arrays by their bytes, functions by their names."""
    found = hashlib.sha256()
    leaves, structure = jax.tree.flatten(value)
    found.update(_names(str(structure)).encode())
    for leaf in leaves:
        if callable(leaf):
            found.update(_called(leaf).encode())
        elif isinstance(leaf, (np.ndarray, np.generic, jax.Array)):
            array = np.asarray(leaf)
            found.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        else:
            found.update(_names(repr(leaf)).encode())
    return found.hexdigest()


def identity(traced: Any) -> Any:
    """What says which programme a traced one is: its text, and the arrays that its functions hold."""
    return str(traced.jaxpr), [np.asarray(held) for held in _held(traced.jaxpr)]


def _held(part: Any) -> Iterator[Any]:
    """The constants of a jaxpr and of those within, which its text does not show."""
    if isinstance(part, ClosedJaxpr):
        yield from part.consts
        part = part.jaxpr
    if isinstance(part, Jaxpr):
        part = tuple(value for equation in part.eqns for value in equation.params.values())
    if isinstance(part, tuple):
        for within in part:
            yield from _held(within)


def _names(text: str) -> str:
    # A structure, or a programme, names the functions in it with their addresses, which differ from process to process.
    return re.sub("0x[0-9a-f]+", "", text)


def _called(function: Callable) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    return f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', type(inner).__name__)}"


def _savez(path: pathlib.Path, named: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **named)


def _write(path: pathlib.Path, write: Callable[[pathlib.Path], Any]) -> None:
    temporary = path.with_name(path.name + ".part")
    write(temporary)
    temporary.replace(path)
