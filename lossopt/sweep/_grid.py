"""Which fits a sweep consists of: fit i of a loss, from the axes over which it is swept."""

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import losses
from ..data import check, Dataset, spread, Stored


class Axis(NamedTuple):
    """A name and the values that it takes."""

    name: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Generated:
    """The data set of a seed; equal for equal functions, so that it is compiled once."""

    of_key: Callable[[jax.Array], Dataset]

    def __call__(self, seed: jax.Array) -> Dataset:
        return self.of_key(jax.random.key(seed))


class Source(NamedTuple):
    """Where data sets come from.

    Attributes:
        axis: what numbers them.
        take: a slice of their numbers -> what a chunk is given, with a leading axis.
        make: what one fit is given -> its data set; runs inside the compiled programme.
        example: all rows of all sets, or of the first where they are generated, for the checks.
        identity: arrays and names that say which data these are.
    """

    axis: Axis
    take: Callable[[np.ndarray], Any]
    make: Callable[[Any], Dataset]
    example: Dataset
    identity: Any


class Grid(NamedTuple):
    """The fits of one loss.

    Attributes:
        loss: with the first value on every axis.
        axes: the hyperparameters swept, then the penalties that are; the data come last.
        data: how many data sets there are.
    """

    loss: losses.Loss
    axes: tuple[Axis, ...]
    data: Axis

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has, the data's last."""
        return tuple(len(axis.values) for axis in (*self.axes, self.data))

    @property
    def size(self) -> int:
        """How many fits there are."""
        return math.prod(self.shape)

    def at(self, fits: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The values on the axes, by name, and the numbers of the data sets of some fits."""
        *places, sets = np.unravel_index(fits, self.shape)
        return {axis.name: axis.values[place] for axis, place in zip(self.axes, places, strict=True)}, sets


def grid(loss: losses.Loss, penalties: Mapping[str, Any], data: Axis) -> Grid:
    """The fits of a loss: a hyperparameter bound to an array with one axis more than it has is swept, as is a penalty
    that is a vector."""
    for inside in losses.parts(loss):
        losses.check_single(inside, f"inside {losses.label(loss)} nothing is swept over: give one loss for each value")
    bound = opened(loss)[1].items()
    axes = [Axis(name, np.asarray(value)) for name, value in bound if losses.several(loss, name, value)]
    axes += [Axis(name, np.asarray(value)) for name, value in penalties.items() if np.ndim(value)]
    for axis in axes:
        if not len(axis.values):
            raise ValueError(f"{losses.label(loss)} is given no value of {axis.name} to sweep over: give at least one.")
    first = {axis.name: axis.values[0] for axis in axes if axis.name not in penalties}
    return Grid(losses.bind(loss, **first) if first else loss, tuple(axes), data)


def opened(loss: losses.Loss) -> tuple[Callable, Mapping[str, Any]]:
    """The function, and what `bind` or `functools.partial` fixed by name."""
    if not isinstance(loss, functools.partial):
        return loss, {}
    return functools.partial(loss.func, *loss.args) if loss.args else loss.func, loss.keywords


def source(data: Any, seeds: Any) -> Source:
    """Data sets given as a `Dataset` (one, or stacked), a sequence of them, or as a function of a key and seeds."""
    if callable(data) and not isinstance(data, Dataset):
        axis, make = Axis("seed", _seeds(seeds)), Generated(data)
        example = check(jax.jit(make)(axis.values[0]))
        return Source(axis, lambda sets: axis.values[sets], make, example, (data, axis.values, example))
    if seeds is not None:
        raise ValueError("seeds are for data that are generated: pass a function of a key as data.")
    stacked = _stacked(data)
    sets, rows = stacked.features.shape[:2]
    _check_lengths(stacked)
    example = of_each(check, jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stacked), sets)
    stacked = jax.tree.map(lambda leaf: np.asarray(leaf).reshape(sets, rows, *leaf.shape[1:]), example)
    take = lambda sets: jax.tree.map(functools.partial(_taken, sets), stacked)  # noqa: E731
    return Source(Axis("data", np.arange(sets)), take, _as_given, example, stacked)


def of_each(look: Callable[[Dataset], Any], together: Dataset, sets: int) -> Any:
    """What `look` says to the rows of so many data sets; if that is an error, it is said of the set that it is in."""
    try:
        return look(together)
    except ValueError:
        rows = len(together.features) // sets
        for number in range(sets if sets > 1 else 0):
            try:
                look(jax.tree.map(lambda leaf, first=number * rows: leaf[first : first + rows], together))
            except ValueError as error:
                raise ValueError(f"In data set {number}: {error}") from None
        raise


def _seeds(seeds: Any) -> np.ndarray:
    if seeds is None:
        raise ValueError("data is a function of a key: say for which seeds, as in seeds=100.")
    whole = isinstance(seeds, numbers.Integral) and not isinstance(seeds, bool)
    found = np.arange(seeds) if whole else np.asarray(seeds)
    if found.ndim != 1 or not found.size or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"seeds={seeds!r}: give how many, a whole number of at least 1, or a list of whole numbers.")
    return found


def _as_given(data: Dataset) -> Dataset:
    return data


def _taken(sets: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """Of a leaf some sets, and no copy of them where they follow each other."""
    first = sets.flat[0]
    if np.array_equal(sets.ravel(), np.arange(first, first + sets.size)):
        return leaf[first : first + sets.size].reshape(*sets.shape, *leaf.shape[1:])
    return leaf[sets]


def _stacked(data: Any) -> Dataset:
    """The data sets as host arrays with an axis of sets in front."""
    if isinstance(data, Dataset):
        whole = _on_host(data)
        return whole if whole.features.ndim == 3 else jax.tree.map(lambda leaf: leaf[None], whole)
    given = list(data) if isinstance(data, Iterable) and not isinstance(data, str | Mapping | np.ndarray) else [data]
    strangers = [type(one).__name__ for one in given if not isinstance(one, Dataset)]
    if strangers:
        raise TypeError(
            f"data is or holds a {strangers[0]}: give a Dataset, as data.Dataset(features, targets) makes one, a "
            "sequence of them, or a function of a key."
        )
    if not given:
        raise ValueError("data holds no data set: give at least one.")
    sets = list(map(_on_host, given))
    shapes = sorted({tuple(np.shape(leaf) for leaf in jax.tree.leaves(one)) for one in sets})
    if len(shapes) > 1:
        raise ValueError(
            f"The data sets have {len(shapes)} different shapes, {shapes[0]} and {shapes[1]} among them: give each "
            "shape a sweep of its own, or fill up with rows of weight 0."
        )
    return jax.tree.map(lambda *leaves: np.stack(leaves), *sets)


def _on_host(data: Dataset) -> Dataset:
    if isinstance(data.features, Stored):
        raise ValueError("a sweep keeps its data in memory, but these are stored: call solve for each loss.")
    if any(map(spread, data)):
        raise ValueError("a sweep keeps its data in one process, but these lie on several: call solve for each loss.")
    if any(map(np.ma.is_masked, data)):
        raise ValueError("features, targets or weights are masked; drop those rows or fill the gaps.")
    host: Any = [leaf if leaf is None else np.asarray(leaf) for leaf in data]
    return Dataset(*host)


def _check_lengths(stacked: Dataset) -> None:
    sets, rows = stacked.features.shape[:2]
    for name, leaf in zip(("targets", "weights"), stacked[1:], strict=True):
        if leaf is not None and leaf.shape[:2] != (sets, rows):
            raise ValueError(f"features are {sets} sets of {rows} rows but {name} have shape {leaf.shape}.")
    if stacked.weights is not None and not (stacked.weights > 0).any(axis=1).all():
        empty = int(np.flatnonzero(~(stacked.weights > 0).any(axis=1))[0])
        raise ValueError(f"All weights of data set {empty} are 0: give at least one of its rows a positive weight.")
