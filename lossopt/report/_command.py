"""Experiments as commands: run, draw, save, print the verdicts. Results to files, people to stderr, JSON to stdout."""

import dataclasses
import json
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import tyro
from matplotlib.figure import Figure

from ._console import print_summary, print_verdicts, showing, stderr
from ._page import write_page
from ._results import folders, plain, Results, save


class Experiment(NamedTuple):
    """One script: its name, the docstring of its module, and its two functions."""

    name: str
    doc: str
    run: Callable[..., Results]
    plot: Callable[[Results], dict[str, Figure]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The flags that every experiment has."""

    out: Path = Path("results")
    """the folder that results go to"""
    seed: int = 0
    """of everything random"""
    quick: bool = False
    """smaller sizes: seconds, and rougher numbers"""
    json: bool = False
    """claims and paths as JSON on stdout"""
    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """no progress and no tables"""


@dataclass(frozen=True, kw_only=True)
class Selection(Options):
    """The flags of the command that runs many experiments."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """which experiments; all of them if none is named"""


def main(
    run: Callable[..., Results],
    plot: Callable[[Results], dict[str, Figure]],
    *,
    doc: str | None,
    name: str,
    order: Sequence[str] = (),
) -> NoReturn:
    """The command `python -m experiments.<name>`; it ends the process with 0, 1 (it failed to run), 2 or 130.

    Args:
        run, plot: the experiment's functions, as the docstring of `lossopt.report` describes them.
        doc: the docstring of its module.
        name: of the module, and of the folder of results.
        order: the names of all experiments, in the order of the page, which shows whatever has been saved.
    """
    experiment = Experiment(name, doc or "", run, plot)
    options = tyro.cli(
        Options, prog=f"python -m experiments.{name}", description=doc, config=(tyro.conf.FlagCreatePairsOff,)
    )
    _begin(f"python -m experiments.{name}", options, [name])
    sys.exit(conduct(lambda _: experiment, [name], options, order))


def main_all(load: Callable[[str], Experiment], names: Sequence[str]) -> NoReturn:
    """The command `python -m experiments [names]`: run them in order, then write the page of all results.

    Args:
        load: name -> experiment; called when its turn comes, so that one that cannot be imported stops no other.
        names: of all experiments, in the order of the page.
    """
    prog = "python -m experiments"
    about = f"Run the experiments ({', '.join(names)}) and write one page of all results."
    options = tyro.cli(Selection, prog=prog, description=about, config=(tyro.conf.FlagCreatePairsOff,))
    unknown = [name for name in options.names if name not in names]
    if unknown:
        stderr().print(f"{prog}: there is no experiment {unknown[0]!r}; there are {', '.join(names)}.", markup=False)
        sys.exit(2)
    chosen = options.names or names
    _begin(prog, options, chosen)
    sys.exit(conduct(load, chosen, options, names))


def check_options(seed: int, out: Path | None, names: Sequence[str]) -> None:
    """Raise `ValueError` unless the seed makes a key and results of these names can be written to `out`; it is made."""
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"--seed {seed}: give a whole number below 2^63.")
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=out).close()
            for name in names:
                folders(out, name)
    except OSError as error:
        raise ValueError(f"--out {out}: no results can be written there ({error.strerror}); name a folder.") from error


def _begin(prog: str, options: Options, names: Sequence[str]) -> None:
    try:
        check_options(options.seed, options.out, names)
    except ValueError as error:
        stderr().print(f"{prog}: {error}", markup=False, soft_wrap=True)
        sys.exit(2)


def conduct(
    load: Callable[[str], Experiment], names: Sequence[str], options: Options, order: Sequence[str] = ()
) -> int:
    """Run, save and report experiments, write the page of all that is saved, and return the exit code."""
    console = stderr(quiet=options.quiet)
    done: list[Results] = []
    broken: list[str] = []
    try:
        for name in names:
            heading = name if len(names) == 1 else f"{name} ({len(done) + len(broken) + 1} of {len(names)})"
            results = _one(load, name, heading, options, console)
            done += [results] if results else []
            broken += [] if results else [name]
        page = write_page(options.out, order=order) if done else None
    except KeyboardInterrupt:
        stderr().print("Interrupted; what had finished is saved.")
        return 130
    _tell(console, done, broken, page, options)
    return 1 if broken else 0


def _one(load: Callable[[str], Experiment], name: str, heading: str, options: Options, console: Any) -> Results | None:
    try:
        with showing(console, heading) as progress:
            _float64()
            experiment = load(name)
            results = experiment.run(seed=options.seed, quick=options.quick, progress=progress)
            results = _completed(results, experiment, options)
            save(results, options.out)
    except Exception as error:  # whatever went wrong in one experiment, the others still run
        stderr().print(f"{name} did not run: {_sentence(error, name)}", markup=False)
        return None
    print_verdicts(console, results)
    return results


def _float64() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)


def _completed(results: Results, experiment: Experiment, options: Options) -> Results:
    question, design = read_docstring(experiment.doc)
    return dataclasses.replace(
        results,
        name=experiment.name,
        question=question,
        design=design,
        config={"seed": options.seed, "quick": options.quick, **results.config},
        figures=experiment.plot(results),
    )


def read_docstring(doc: str) -> tuple[str, str]:
    """The question (first paragraph) and the design (what follows, up to the paragraph that begins with "Claims")."""
    question, *rest = re.split(r"\n\s*\n", doc.strip())
    design = re.split(r"(?:^|\n\n)Claims\b", "\n\n".join(rest))[0]
    return " ".join(question.split()), re.sub(r"^Design[.:]\s*", "", design).strip()


def _sentence(error: Exception, name: str) -> str:
    """What went wrong and where in the experiment, without a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    place = next((frame for frame in reversed(frames) if Path(frame.filename).stem == name), frames[-1])
    message = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}, line {place.lineno})"


def _tell(console: Any, done: Sequence[Results], broken: Sequence[str], page: Path | None, options: Options) -> None:
    folders = [options.out / results.name for results in done]
    print_summary(console, done, broken, folders)
    if page:
        stderr(quiet=options.quiet).print(f"All results on one page: {page}", markup=False, soft_wrap=True)
    if options.json:
        print(json.dumps(_summary(done, broken, folders, page), ensure_ascii=False, indent=1))


def _summary(done: Sequence[Results], broken: Sequence[str], folders: Sequence[Path], page: Path | None) -> object:
    experiments = [
        {
            "name": results.name,
            "folder": str(folder),
            "claims": [dataclasses.asdict(claim) | {"holds": claim.holds} for claim in results.claims],
        }
        for results, folder in zip(done, folders, strict=True)
    ]
    return plain({"experiments": experiments, "did_not_run": list(broken), "page": page and str(page)})
