"""`sweep`: what many fits say, as stacked arrays and as tidy rows."""

import concurrent.futures
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import border, losses as _losses, models
from ..compiling import on_cpu
from ..data import Dataset, traced
from ..solve import solve
from ..status import Status
from ..store import Store
from ._fits import Fits, fits_of
from ._grid import Axis, grid, of_each, source


# Bytes of the tables of a chunk: with what is computed from them, about what a core's own cache holds.
_CHUNK = 2**17
# The most fits in a chunk.
_MOST = 256
# Both on an accelerator, which does many fits in the time of one.
_WIDE_CHUNK, _WIDE_MOST = 2**26, 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """The results of many fits.

    Attributes:
        results: by the loss's name, what each fit gave, stacked: the leading axes are those of `axes`.
        axes: by the loss's name, what it was swept over: hyperparameters, then "l1", "l2", then "data" or "seed".
    """

    results: Mapping[str, Any]
    axes: Mapping[str, tuple[Axis, ...]]

    def __getitem__(self, name: str) -> Any:
        """The stacked results of one loss."""
        return self.results[name]

    def rows(self) -> list[dict[str, Any]]:
        """A row a fit: loss, value on each axis, then every number of the result, a vector's numbered from 0."""
        return [row for name in self.results for row in self._rows(name)]

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        axes = self.axes[name]
        shape, taken = tuple(len(axis.values) for axis in axes), {"loss", *(axis.name for axis in axes)}
        leaves = jax.tree_util.tree_flatten_with_path(self.results[name])[0]
        for place in np.ndindex(*shape):
            row = {"loss": name} | {axis.name: axis.values[i].tolist() for axis, i in zip(axes, place, strict=True)}
            for path, leaf in leaves:
                label = _label(path)
                row |= _cells(f"result.{label}" if label in taken else label, np.asarray(leaf)[place])
            yield row


def sweep(
    losses: _losses.Loss | Sequence[_losses.Loss] | Mapping[str, _losses.Loss],
    data: Dataset | Sequence[Dataset] | Callable[[jax.Array], Dataset],
    *,
    seeds: int | Sequence[int] | None = None,
    model: models.Model = models.linear,
    l1: Any = 0.0,
    l2: Any = 0.0,
    fit: Callable[..., Any] = solve,
    chunk: int | None = None,
    workers: int | None = None,
    resume: str | os.PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Sweep:
    """Fit every loss, at every combination of its hyperparameters, to every data set.

    A hyperparameter bound to a vector is swept over, as are l1 and l2: `bind(huber, delta=jnp.logspace(-2, 2, 50))`
    is 50 fits a data set. Each loss compiles once, and with it those without such a vector that `solve` treats alike.
    The fits are then done in chunks that fit a core's cache, a chunk on each core, or on each device where there are
    several; only the chunks in work and the results are in memory.

    Args:
        losses: a loss, several, or names for them.
        data: a data set; several of one shape, in a sequence or stacked along a first axis; or a function of a key
            that generates one, inside the compiled programme.
        seeds: for generated data, how many or which; the key is `jax.random.key(seed)`.
        model: what maps features to a score.
        l1, l2: a penalty, or a vector of penalties; l1 is passed on only where there is one.
        fit: `fit(loss, data, model=, l2=, **options)` -> any pytree of arrays: `solve`, or `lossopt.fit`.
        chunk: fits in a chunk; None takes what fits the cache. Results depend on it, on how many fits there are, and on
            the other losses, by rounding only.
        workers: chunks done side by side; None takes the cores of a CPU, else the devices.
        resume: a folder to keep finished parts in. The same sweep with the same folder goes on where it was stopped,
            and ends with the same bits as one that was not.
        progress: called with the number of fits done and that of all.
        options: passed to `fit`.

    Raises:
        ValueError, TypeError: bad data, losses or settings, before anything is compiled; `resume` holds another sweep.
    """
    named, penalties = _named(losses), {"l1": l1, "l2": l2}
    chunk, workers = _whole("chunk", chunk), _whole("workers", workers)
    _check_known(losses=named, data=data, seeds=seeds, **penalties, **options)
    border.check_penalties(swept=True, **penalties)
    _check_fit(fit, options)
    origin = source(data, seeds)
    grids = {name: grid(loss, penalties, origin.axis) for name, loss in named.items()}
    for found in grids.values():
        border.check_loss(found.loss)
        look = functools.partial(border.check_pair, found.loss, model=model)
        of_each(look, origin.example, 1 if callable(data) else len(origin.axis.values))
    rows, columns = origin.example.features.shape
    rows //= 1 if callable(data) else len(origin.axis.values)
    length = chunk or _length(rows * columns * origin.example.features.dtype.itemsize)
    fixed = {key: value for key, value in penalties.items() if not np.ndim(value) and (key == "l2" or value)}
    settings = {"model": model, **options, **fixed}
    tasks = fits_of(grids, origin, fit, settings, (rows, columns), length)
    asked = {"losses": named, "data": origin.identity, "model": model, **penalties, "fit": (fit, options)}
    if resume is not None:
        asked |= {f"programme of {task.name}": task.identity for task in tasks}
    store = Store("sweep", resume, {**asked, "chunk": length})
    results = _run(tasks, workers or _side_by_side(), store, progress)
    return Sweep(results=results, axes={name: (*found.axes, found.data) for name, found in grids.items()})


def _length(table: int) -> int:
    """How many fits to make at a time, of a table of so many bytes each."""
    held, most = (_CHUNK, _MOST) if on_cpu() else (_WIDE_CHUNK, _WIDE_MOST)
    return max(1, min(most, held // table))


def _run(tasks: Sequence[Fits], workers: int, store: Store, progress: Any) -> dict[str, Any]:
    """All parts, as many side by side as there are workers; results by loss."""
    # The first part of each programme goes first, so that they compile side by side.
    parts = [(part, i) for i, task in enumerate(tasks) for part in task.parts]
    parts.sort(key=lambda where: (where[0] > 0 or not tasks[where[1]].leads, where))
    done, total, devices = 0, sum(task.grid.size for task in tasks), jax.local_devices()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {
            pool.submit(tasks[i].do, part, store, devices[count % len(devices)]): (part, i)
            for count, (part, i) in enumerate(parts)
        }
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
                part, i = futures[future]
                done += tasks[i].fits(part)
                if progress:
                    progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    found = {where: future.result() for future, where in futures.items()}
    return {task.name: task.together([found[part, i] for part in task.parts]) for i, task in enumerate(tasks)}


def _side_by_side() -> int:
    devices = jax.local_devices()
    if len(devices) > 1 or devices[0].platform != "cpu":
        return len(devices)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _named(losses: Any) -> dict[str, _losses.Loss]:
    if isinstance(losses, Mapping):
        named = dict(losses)
    else:
        several = list(losses) if isinstance(losses, Iterable) and not isinstance(losses, str) else [losses]
        for loss in several:
            border.check_loss(loss, swept=True)
        named = {_losses.label(loss): loss for loss in several}
        if len(named) < len(several):
            raise ValueError("Two of the losses have one name: pass a dict of names and losses.")
    if not named:
        raise ValueError("losses holds no loss: give at least one.")
    for name in named:
        if not isinstance(name, str) or not name or set(name) & set("/\\"):
            raise ValueError(f"{name!r} does not name a loss here: use text without slashes.")
    return named


def _whole(name: str, value: int | None) -> int | None:
    return None if value is None else border.whole(name, value)


def _check_known(**given: Any) -> None:
    # Workers, each a thread of its own, would take the tracers out of the transformation that they belong to.
    unknown = [name for name, value in given.items() if traced(value)]
    if unknown:
        raise ValueError(
            f"sweep got traced {unknown[0]}: it runs programmes of its own, and cannot be part of what jax.jit, "
            "jax.grad or jax.vmap transforms; there, use jax.vmap over lossopt.solve."
        )


def _check_fit(fit: Any, options: Mapping[str, Any]) -> None:
    if not callable(fit):
        raise TypeError(f"fit={fit!r} is not a function: pass lossopt.solve or lossopt.fit.")
    if options.get("throw"):
        raise ValueError("throw: a sweep goes on after a bad fit; look at the status of each, in its results or rows.")


_STATUS = "status.code"


def _label(path: tuple) -> str:
    return ".".join(str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", key)))) for key in path) or "value"


def _cells(label: str, value: np.ndarray) -> dict[str, Any]:
    if f".{label}".endswith(f".{_STATUS}"):
        # The code of a status is its name in a row.
        return {label.removesuffix(".code"): Status(jnp.asarray(value)).name}
    if value.ndim == 0:
        return {label: value.item()}
    return {f"{label}[{','.join(map(str, at))}]": value[at].item() for at in np.ndindex(*value.shape)}
