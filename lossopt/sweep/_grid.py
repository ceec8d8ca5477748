"""Which fits a sweep consists of: fit i of a loss, from the axes over which it is swept."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import losses
from ..data import check, Dataset, Stored


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
    _check_parts(loss)
    axes = [Axis(name, np.asarray(value)) for name, value in _bound(loss).items() if _swept(loss, name, value)]
    for name, value in penalties.items():
        if np.ndim(value) == 1:
            axes.append(Axis(name, np.asarray(value)))
        elif np.ndim(value) > 1:
            raise ValueError(
                f"{name} has shape {np.shape(value)}: give a number, or a vector of numbers to sweep over."
            )
    for axis in axes:
        if not len(axis.values):
            raise ValueError(f"{losses.label(loss)} is given no value of {axis.name} to sweep over: give at least one.")
    first = {axis.name: axis.values[0] for axis in axes if axis.name not in penalties}
    return Grid(losses.bind(loss, **first) if first else loss, tuple(axes), data)


def source(data: Any, seeds: int | Sequence[int] | np.ndarray | None) -> Source:
    """Data sets given as a `Dataset` (one, or stacked), a sequence of them, or as a function of a key and seeds."""
    if callable(data) and not isinstance(data, Dataset):
        if seeds is None:
            raise ValueError("data is a function of a key: say for which seeds, as in seeds=100.")
        numbers = np.arange(seeds) if isinstance(seeds, int) else np.asarray(seeds)
        if not numbers.size:
            raise ValueError(f"seeds={seeds!r}: give at least one.")
        make = Generated(data)
        example = check(jax.jit(make)(numbers[0]))
        return Source(Axis("seed", numbers), lambda sets: numbers[sets], make, example, (data, numbers, example))
    if seeds is not None:
        raise ValueError("seeds are for data that are generated: pass a function of a key as data.")
    stacked = _stacked(data)
    take = lambda sets: jax.tree.map(functools.partial(_taken, sets), stacked)  # noqa: E731
    axis = Axis("data", np.arange(len(stacked.features)))
    return Source(axis, take, _as_given, _checked(stacked), stacked)


def _as_given(data: Dataset) -> Dataset:
    return data


def _taken(sets: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """Of a leaf some sets, and no copy of them where they follow each other."""
    first = sets.flat[0]
    if np.array_equal(sets.ravel(), np.arange(first, first + sets.size)):
        return leaf[first : first + sets.size].reshape(*sets.shape, *leaf.shape[1:])
    return leaf[sets]


def _bound(loss: losses.Loss) -> Mapping[str, Any]:
    return loss.keywords if isinstance(loss, jax.tree_util.Partial) else {}


def _check_parts(loss: losses.Loss) -> None:
    for inside in losses.parts(loss):
        _check_parts(inside)
        for name, value in _bound(inside).items():
            if _swept(inside, name, value):
                raise ValueError(
                    f"{name} of the {losses.label(inside)} inside {losses.label(loss)} has shape {np.shape(value)}: "
                    f"only hyperparameters of the outermost loss are swept over; give one loss for each {name}."
                )


def _swept(loss: losses.Loss, name: str, value: Any) -> bool:
    if callable(value) or isinstance(value, (tuple, str)) or value is None:
        return False
    default = losses.hyperparameters(losses.unbound(loss)).get(name)
    return np.ndim(value) == 1 + (0 if default is None else np.ndim(default))


def _stacked(data: Any) -> Dataset:
    if isinstance(data, Dataset):
        if isinstance(data.features, Stored):
            raise ValueError("a sweep keeps its data in memory, but these are stored: call solve for each loss.")
        given = jax.tree.map(np.asarray, data)
        return given if given.features.ndim == 3 else jax.tree.map(lambda leaf: leaf[None], given)
    sets = [jax.tree.map(np.asarray, one) for one in data]
    if not sets:
        raise ValueError("data holds no data set: give at least one.")
    shapes = sorted({tuple(np.shape(leaf) for leaf in jax.tree.leaves(one)) for one in sets})
    if len(shapes) > 1:
        raise ValueError(
            f"The data sets have {len(shapes)} different shapes, {shapes[0]} and {shapes[1]} among them: give each "
            "shape a sweep of its own, or fill up with rows of weight 0."
        )
    return jax.tree.map(lambda *leaves: np.stack(leaves), *sets)


def _checked(stacked: Dataset) -> Dataset:
    """All rows of all sets in one table, once they have been checked."""
    sets, rows = stacked.features.shape[:2]
    for name, leaf in zip(("targets", "weights"), stacked[1:], strict=True):
        if leaf is not None and leaf.shape[:2] != (sets, rows):
            raise ValueError(f"features are {sets} sets of {rows} rows but {name} have shape {leaf.shape}.")
    if stacked.weights is not None and not (stacked.weights > 0).any(axis=1).all():
        empty = int(np.flatnonzero(~(stacked.weights > 0).any(axis=1))[0])
        raise ValueError(f"All weights of data set {empty} are 0: give at least one of its rows a positive weight.")
    return check(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stacked))
