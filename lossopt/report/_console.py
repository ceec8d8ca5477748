"""What a person at a terminal sees: progress, verdicts, where the files are. Always on stderr; NO_COLOR is honoured."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ._claim import Claim
from ._results import Results, Row, shown


T = TypeVar("T")


class Progress(Protocol):
    """What an experiment wraps its loops in: it passes the items on, and shows how many are done."""

    def __call__(self, items: Iterable[T], doing: str) -> Iterable[T]: ...


def silent(items: Iterable[T], doing: str) -> Iterable[T]:
    """The progress that shows nothing."""
    del doing
    return items


def stderr(*, quiet: bool = False) -> Any:
    """A rich console on stderr; a quiet one swallows everything."""
    from rich.console import Console

    return Console(stderr=True, quiet=quiet, highlight=False)


@contextlib.contextmanager
def showing(console: Any, heading: str) -> Iterator[Progress]:
    """Show what runs: bars on a terminal, which vanish when done; elsewhere one line for each loop that begins."""
    if console.quiet:
        yield silent
    elif console.is_terminal:
        with _bars(console) as bars:
            bars.add_task(heading, total=None)
            yield _tracked(bars)
    else:
        console.print(f"{heading} ...", markup=False, soft_wrap=True)
        yield _announced(console, heading)


def _bars(console: Any) -> Any:
    from rich import progress

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
    )
    return progress.Progress(*columns, console=console, transient=True)


def _tracked(bars: Any) -> Progress:
    def progress(items: Iterable[T], doing: str) -> Iterable[T]:
        items = items if isinstance(items, Sequence) else list(items)
        task = bars.add_task(doing, total=len(items))
        for item in items:
            yield item
            bars.advance(task)
        bars.remove_task(task)

    return progress


def _announced(console: Any, heading: str) -> Progress:
    def progress(items: Iterable[T], doing: str) -> Iterable[T]:
        console.print(f"{heading}: {doing} ...", markup=False, soft_wrap=True)
        return items

    return progress


def print_verdicts(console: Any, results: Results) -> None:
    """A table of the claims of one experiment."""
    table = _table(f"{results.name}: {score(results.claims)}", ("", "claim", "measured", "expected"))
    for claim in results.claims:
        mark = "[green]✓[/]" if claim.holds else "[bold red]✗ FAILS[/]"
        table.add_row(mark, *map(_plain, (claim.statement, claim.found, claim.wanted)))
    if results.claims:
        console.print(table)


def print_summary(console: Any, done: Sequence[Results], broken: Sequence[str], folders: Sequence[Path]) -> None:
    """How many claims hold in each experiment, and where its files are."""
    table = _table("Experiments", ("experiment", "claims", "results in"))
    for results, folder in zip(done, folders, strict=True):
        table.add_row(results.name, _coloured(results.claims), _plain(folder))
    for name in broken:
        table.add_row(name, "[bold red]did not run[/]", "")
    console.print(table)


def print_table(console: Any, title: str, rows: Sequence[Row]) -> None:
    """Rows as a table, a column for each name in the first of them."""
    if not rows:
        return
    table = _table(title, tuple(name.replace("_", " ") for name in rows[0]))
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(_plain(shown(value)) for value in row.values()))
    console.print(table)


def score(claims: Sequence[Claim]) -> str:
    """How many of the claims hold, in words."""
    held = sum(claim.holds for claim in claims)
    return f"{held} of {len(claims)} claims hold" if claims else "no claims"


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich import box
    from rich.table import Table

    return Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)


def _coloured(claims: Sequence[Claim]) -> str:
    color = "green" if all(claim.holds for claim in claims) else "bold red"
    return f"[{color}]{score(claims)}[/]"


def _plain(value: Any) -> Any:
    # As Text, square brackets in a statement are not taken for markup.
    from rich.text import Text

    return Text(str(value))
