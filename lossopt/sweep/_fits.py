"""The fits of one loss, in numbered parts, and which losses share a programme."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from .. import losses, models
from ..solve import solve, treatment
from ..store import Store
from ._grid import Grid, Source
from ._programme import Programme, Recipe


# A part is some chunks, which one worker does and which are kept on disk: at least so many parts, of at most so many.
_PARTS, _PART = 16, 16


class Fits:
    """The fits of one loss, in numbered parts of several chunks.

    `which` of the losses of its programme it is. The first of them `leads`: its first part compiles it.
    """

    def __init__(self, name: str, found: Grid, origin: Source, programme: Programme, which: int, length: int) -> None:
        self.name, self.grid, self.leads, self._source = name, found, which == 0, origin
        self._programme, self._which = programme, np.asarray(which)
        length = min(length, found.size)
        chunks = -(-found.size // length)
        together = min(max(chunks // _PARTS, 1), _PART)
        parts = -(-chunks // together)
        # What the last part lacks is filled up with the first fits, so that it compiles with the others.
        self._fits = (np.arange(parts * together * length) % found.size).reshape(parts, together, length)

    @property
    def parts(self) -> range:
        """The numbers of the parts."""
        return range(len(self._fits))

    @property
    def identity(self) -> Any:
        """What says which programme the fits are made by."""
        return self._programme.identity(*self._arguments(0))

    def fits(self, part: int) -> int:
        """How many fits are in a part, those that fill up not counted."""
        size = self._fits[part].size
        return max(min(size, self.grid.size - part * size), 0)

    def do(self, part: int, store: Store, device: Any) -> list[np.ndarray]:
        """The leaves of the results of a part, from the store if they are there."""
        name = f"{self.name}-{part:06}"
        found = store.load(name)
        if found is None:
            with jax.default_device(device):
                leaves = self._programme(*self._arguments(part))
            found = [np.asarray(leaf).reshape(-1, *leaf.shape[2:]) for leaf in leaves]
            store.save(name, found)
        return found

    def _arguments(self, part: int) -> tuple[Any, Any, Any]:
        values, sets = self.grid.at(self._fits[part])
        return self._which, values, self._source.take(sets)

    def together(self, parts: list[list[np.ndarray]]) -> Any:
        """All parts as one pytree with the axes of the grid in front."""
        whole = [np.concatenate(leaves)[: self.grid.size] for leaves in zip(*parts, strict=True)]
        shaped = [leaf.reshape(*self.grid.shape, *leaf.shape[1:]) for leaf in whole]
        return jax.tree.unflatten(self._programme.structure(*self._arguments(0)), shaped)


def fits_of(
    grids: Mapping[str, Grid],
    origin: Source,
    fit: Callable[..., Any],
    settings: Mapping[str, Any],
    table: tuple[int, int],
    length: int,
) -> list[Fits]:
    """The fits of each loss of a sweep, of tables (n, d), so many at a time."""
    tasks: dict[str, Fits] = {}
    for names in _alike(grids, fit, settings, table):
        recipe = Recipe.of([grids[name] for name in names], origin, fit, settings, table[0] * table[1])
        programme = Programme(recipe)
        tasks |= {name: Fits(name, grids[name], origin, programme, i, length) for i, name in enumerate(names)}
    return [tasks[name] for name in grids]


def _alike(
    grids: Mapping[str, Grid], fit: Callable[..., Any], settings: Mapping[str, Any], table: tuple[int, int]
) -> list[list[str]]:
    """The names of the losses, those together that one programme serves: it is compiled once, and chooses by a number.

    Those of which no hyperparameter is swept, and which `solve` treats alike, as it does the choice among them.
    """
    groups: dict[Any, list[str]] = {}
    for name, found in grids.items():
        own = {axis.name for axis in found.axes} - {"l1", "l2"}
        how = None if own or fit is not solve else _treated(found.loss, found, settings, table)
        groups.setdefault((how, name if how is None else ""), []).append(name)
    together = []
    for (how, _), members in groups.items():
        # Whatever the order in which they are given, it is the same programme.
        names = sorted(members)
        choice = losses.one_of(*(grids[name].loss for name in names)) if len(names) > 1 else None
        one = choice is None or _treated(choice, grids[names[0]], settings, table) == how
        together += [names] if one else [[name] for name in names]
    return together


def _treated(loss: losses.Loss, found: Grid, settings: Mapping[str, Any], table: tuple[int, int]) -> Any:
    model, method = settings.get("model", models.linear), settings.get("method")
    absolute = bool(settings.get("l1")) or any(axis.name == "l1" for axis in found.axes)
    return treatment(loss, table, model, method, absolute=absolute)
