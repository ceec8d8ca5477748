"""Run the experiments in order and write one page of all results: `python -m experiments [names]`."""

import importlib

from lossopt import report

from . import NAMES


def load(name: str) -> report.Experiment:
    """The experiment in the module of that name."""
    module = importlib.import_module(f"{__package__}.{name}")
    return report.Experiment(name, module.__doc__ or "", module.run, module.plot)


def main() -> None:
    """The command."""
    report.main_all(load, NAMES)


if __name__ == "__main__":
    main()
