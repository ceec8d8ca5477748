"""Table: what a data set's columns mean and where they come from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is known about a table of real data, beside its numbers.

    Attributes:
        name: what `load` calls it.
        task: "regression", "binary" or "multiclass".
        features: the names of the columns of `Dataset.features`, in order.
        target: the name of the target.
        rows: how many examples there are.
        source: who published it, and when.
        note: what a user should know: units, which rows are unusual, how it was recoded.
        classes: for classification, the names of the classes 0, 1, ...
    """

    name: str
    task: str
    features: tuple[str, ...]
    target: str
    rows: int
    source: str
    note: str = ""
    classes: tuple[str, ...] = ()
