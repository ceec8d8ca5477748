"""What a person at a terminal sees: progress, verdicts, where the files are. Always on stderr; NO_COLOR is honoured."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from ._claim import Claim
from ._results import Results, Row, shown


T = TypeVar("T")
WIDEST = 100_000  # characters: where no terminal sets an end
LONGEST_WORD = 16  # characters, more than a number has: a longer one is broken where a table gets too wide


class Progress(Protocol):
    """What an experiment wraps its loops in: it passes the items on, and shows how many are done."""

    def __call__(self, items: Iterable[T], doing: str) -> Iterable[T]: ...


def silent(items: Iterable[T], doing: str) -> Iterable[T]:
    """The progress that shows nothing."""
    del doing
    return items


def stderr(*, quiet: bool = False) -> Any:
    """A rich console on stderr, as wide as what it is told unless it is a terminal; a quiet one swallows everything."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet, highlight=False)
    if not console.is_terminal:
        console.width = WIDEST
    return console


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
    """Rows as a table, a column for each name in the first of them; as several, where a console is not wide enough.

    Each of these begins with the first column. Where it saves room, text is broken into lines; numbers never are.
    """
    if not rows:
        return
    first, *others = (_column(name, [row[name] for row in rows]) for name in rows[0])
    first = first._replace(least=min(first.whole, console.width // 2))
    for i, part in enumerate(_parts(first, others, console.width)):
        table = _table(f"{title} (continued)" if i else title, ())
        for column, width in zip(part, _widths(part, console.width), strict=True):
            table.add_column(_plain(column.cells[0]), width=width, overflow="fold")
        for row in zip(*(column.cells[1:] for column in part), strict=True):
            table.add_row(*map(_plain, row))
        console.print(table)


class _Column(NamedTuple):
    """A head and cells; the width that lets no word be broken but the longest ones, and the one without a break."""

    cells: list[str]
    least: int
    whole: int


def _column(name: str, values: Sequence[Any]) -> _Column:
    cells = [name.replace("_", " "), *map(shown, values)]
    words = [word for cell in cells for word in cell.split()]
    return _Column(cells, min(LONGEST_WORD, max(map(len, words), default=0)), max(map(len, cells)))


def _parts(first: _Column, others: Sequence[_Column], width: int) -> list[list[_Column]]:
    """As many columns in each table as it has room for, and at least one beside the first."""
    parts = [[first]]
    for column in others:
        if len(parts[-1]) > 1 and sum(each.least for each in (*parts[-1], column)) > _room(len(parts[-1]) + 1, width):
            parts.append([first])
        parts[-1].append(column)
    return parts


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """Whole columns where they have room; else all wide ones are brought down to one width, if need be to the least."""
    widths = [column.least for column in columns]
    for limit in range(1 + max(column.whole for column in columns)):
        wider = [max(column.least, min(limit, column.whole)) for column in columns]
        if sum(wider) > _room(len(columns), width):
            break
        widths = wider
    return widths


def _room(columns: int, width: int) -> int:
    # Beside each column there is a space on either side and a line of the table.
    return width - 3 * columns - 1


def score(claims: Sequence[Claim]) -> str:
    """How many of the claims hold, in words."""
    held = sum(claim.holds for claim in claims)
    return f"{held} of {len(claims)} claims hold" if claims else "no claims"


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich import box
    from rich.table import Column, Table
    from rich.text import Text

    heads = [Column(head, overflow="fold") for head in columns]
    return Table(*heads, title=Text(title, "bold"), title_justify="left", box=box.SIMPLE_HEAD)


def _coloured(claims: Sequence[Claim]) -> str:
    color = "green" if all(claim.holds for claim in claims) else "bold red"
    return f"[{color}]{score(claims)}[/]"


def _plain(value: Any) -> Any:
    # As Text, square brackets in a statement are not taken for markup.
    from rich.text import Text

    return Text(str(value))
