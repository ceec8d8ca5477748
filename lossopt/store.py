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
            ValueError: it is a file, or holds other work; the sentence says in what they differ.
        """
        self._folder = None if folder is None else pathlib.Path(folder)
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"resume={str(folder)!r} is, or lies in, a file: give a folder.") from None
        asked = {**asked, "versions": (__version__, jax.__version__, jnp.result_type(float).name)}
        manifest, digests = self._folder / f"{kind}.json", {name: digest(value) for name, value in asked.items()}
        self._whole = digest(sorted(digests.items()))
        if not manifest.exists():
            # What is not there yet may be being written by another process, or was when one was killed.
            own = (manifest.name, _temporary(manifest).name)
            strangers = [path.name for path in self._folder.iterdir() if path.name not in own]
            # A part may be there if the manifest is, by now.
            if strangers and not manifest.exists():
                raise ValueError(f"resume={str(folder)!r} holds no {kind} but {strangers[0]}: give an empty folder.")
            if jax.process_index() == 0:
                _write(manifest, lambda path: path.write_text(json.dumps(digests, indent=1)))
            return
        former = _manifest(manifest)
        differing = [name for name in {**former, **digests} if former.get(name) != digests.get(name)]
        if differing:
            raise ValueError(
                f"resume={str(folder)!r} holds another {kind}, which differs in: {', '.join(sorted(differing))}. "
                "Give another folder, or remove that one."
            )

    def load(self, name: str) -> list[np.ndarray] | None:
        """The arrays of a part, or None where it is not finished, damaged or one of other work."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as found:
                kinds = json.loads(found["kinds"].item())
                arrays = [found[f"{i:04}"].view(kind) for i, kind in enumerate(kinds)]
                return arrays if found["mark"].item() == self._mark(arrays) else None
        # What a damaged file makes of its reader: "encrypted", say, or "of a later version", which are RuntimeErrors.
        except (OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, RuntimeError, zipfile.BadZipFile):
            return None

    def save(self, name: str, arrays: list[np.ndarray]) -> None:
        """Keep the arrays of a part."""
        path = self._path(name)
        if path is not None and jax.process_index() == 0:
            # The file format knows no bfloat16: such numbers are kept as bytes, and what they are beside them.
            named = {f"{i:04}": _bytes(array) for i, array in enumerate(arrays)}
            named["kinds"] = np.array(json.dumps([array.dtype.name for array in arrays]))
            named["mark"] = np.array(self._mark(arrays))
            # To an open file: savez would add an ending to a temporary name.
            _write(path, lambda temporary: _savez(temporary, named))

    def _mark(self, arrays: list[np.ndarray]) -> str:
        """What says that these are the numbers of a part, and this is the work that it is of."""
        return digest([self._whole, *arrays])

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
            array = plain(leaf)
            found.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        else:
            found.update(_names(repr(leaf)).encode())
    return found.hexdigest()


def plain(leaf: Any) -> np.ndarray:
    """An array as one of NumPy's; of a random key its numbers."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def like(array: np.ndarray, other: Any) -> jax.Array:
    """What `plain` made an array of, for another of its kind."""
    if _is_key(other):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(other))
    return jnp.asarray(array)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def identity(traced: Any) -> Any:
    """What says which programme a traced one is: its text, and the arrays that its functions hold."""
    return str(traced.jaxpr), [plain(held) for held in _held(traced.jaxpr)]


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


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array


def _savez(path: pathlib.Path, named: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **named)


def _manifest(path: pathlib.Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{str(path)!r} is damaged: remove that folder, or give another as resume.")
    return found


def _temporary(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(path.name + ".part")


def _write(path: pathlib.Path, write: Callable[[pathlib.Path], Any]) -> None:
    temporary = _temporary(path)
    write(temporary)
    temporary.replace(path)
