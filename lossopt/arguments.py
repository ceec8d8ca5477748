"""What is typed at the command line, as losses and tables; and what is answered where it cannot be.

Like the command line, it imports the rest of the library when it is called.
"""

import collections
import re
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class UsageError(Exception):
    """The command line asks for something that is not there."""


def usage(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a function whose complaints are about what was typed: they are raised as `UsageError`."""
    try:
        return function(*args, **kwargs)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}.") from error
    except (ValueError, TypeError, ImportError) as error:
        raise UsageError(" ".join(str(error).split())) from error


def sentence(error: Exception, files: Sequence[str] = ()) -> str:
    """What went wrong on one line, and where, if it did in one of these files."""
    message = " ".join(str(error).split()) or type(error).__name__
    own = {Path(file).resolve() for file in files}
    raised: BaseException = error
    while raised.__cause__:
        raised = raised.__cause__
    frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if Path(frame.filename).resolve() in own]
    if not frames:
        return message
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name}"
    return f"{message.rstrip('.')} ({type(raised).__name__} at {place})."


def check_once(words: Sequence[str]) -> None:
    """Raise `UsageError` where a flag occurs twice: what follows the first would be passed over."""
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    twice = [flag for flag, count in collections.Counter(flags).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is there twice: give it once, with all its values after it.")


def table(name: str, target: str | None, features: Sequence[str]) -> tuple[Any, Any]:
    """A .csv file, or a table that ships with lossopt, as a `Dataset` and the `Table` that describes it."""
    from . import data

    if not name.lower().endswith(".csv"):
        if name not in data.names() and (Path(name).suffix or Path(name).exists()):
            raise UsageError(f"{name}: tables are read from .csv files only; save it as one, commas between cells.")
        about = usage(data.describe, name)
        if target or features:
            raise UsageError(f"{name} has its own target and features: --target and --features are for .csv files.")
        return usage(data.load, name), about
    if target is None:
        raise UsageError(f"Which column of {name} is to be predicted? Name it with --target.")
    return usage(data.read_csv, name, target=target, features=features or None)


def distinct(texts: Sequence[str]) -> dict[str, Callable]:
    """The losses, each under a name of its own: its name, or where several have that, what was typed."""
    named = {text: loss(text) for text in texts}
    count = collections.Counter(name for name, _ in named.values())
    return {name if count[name] == 1 else text: function for text, (name, function) in named.items()}


def loss(text: str) -> tuple[str, Callable]:
    """`huber:delta=2`, or `file.py:function`, as a name to show and a loss."""
    from . import losses

    parts = re.fullmatch(r"(?:(?P<file>.+\.py):)?(?P<name>\w+)(?::(?P<settings>.+))?", text)
    if parts is None:
        raise UsageError(f"{text!r} is no loss: write huber, huber:delta=2 or my_losses.py:my_loss.")
    name, file = parts["name"], parts["file"]
    function = usage(losses.get, name) if file is None else _from_file(Path(file), name)
    if not parts["settings"]:
        return name, function
    return f"{name}, {parts['settings']}", usage(losses.bind, function, **_settings(parts["settings"]))


def _settings(text: str) -> dict[str, float]:
    pairs = re.findall(r"(\w+)=([^,=]+)(?:,|$)", text)
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise UsageError(f"{text!r} sets {collections.Counter(names).most_common(1)[0][0]} twice: give it one number.")
    try:
        settings = {name: float(value) for name, value in pairs}
    except ValueError:
        settings = {}
    if ",".join(f"{name}={value}" for name, value in pairs) != text or not settings:
        raise UsageError(
            f"{text!r} sets no hyperparameters: write name=number, as in huber:delta=2 or quantile:level=0.9."
        )
    return settings


def _from_file(path: Path, name: str) -> Callable:
    import importlib.util

    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except Exception as error:
        raise UsageError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    functions = {key: value for key, value in vars(module).items() if callable(value)}
    if name not in functions:
        from . import losses

        what = f"{name} in {path} is no function" if hasattr(module, name) else f"{path} has no function {name!r}"
        raise UsageError(f"{what}.{losses.nearest(name, functions)}")
    return functions[name]
