"""The real tables that ship with the package: what each is, and how its file becomes columns of numbers.

The files in `tables/` hold the tables as published; a recoding is done here, in sight.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ._csv import read_columns
from ._table import Table


FOLDER = Path(__file__).parent / "tables"

Text = dict[str, list[str]]
Numbers = dict[str, np.ndarray]


def read(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """The (rows, columns) features and the (rows,) targets of a shipped table, in float64."""
    text = read_columns(FOLDER / f"{table.name}.csv").columns
    columns = RECODINGS.get(table.name, _as_numbers)(text)
    return np.column_stack([columns[name] for name in table.features]), columns[table.target]


def _as_numbers(text: Text) -> Numbers:
    return {name: np.array(cells, dtype=float) for name, cells in text.items()}


def _animals2(text: Text) -> Numbers:
    return {f"log({name})": np.log(np.array(text[name], dtype=float)) for name in ("body", "brain")}


def _biopsy(text: Text) -> Numbers:
    complete = [i for i, cell in enumerate(text["V6"]) if cell != "NA"]
    columns = {f"V{j}": np.array([float(text[f"V{j}"][i]) for i in complete]) for j in range(1, 10)}
    return columns | {"malignant": np.array([float(text["class"][i] == "malignant") for i in complete])}


def _birthwt(text: Text) -> Numbers:
    raw = _as_numbers(text)
    indicators = {
        "race=black": raw["race"] == 2,
        "race=other": raw["race"] == 3,
        "ptd": raw["ptl"] > 0,
        "ftv=1": raw["ftv"] == 1,
        "ftv=2+": raw["ftv"] >= 2,
    }
    return raw | {name: column.astype(float) for name, column in indicators.items()}


RECODINGS: dict[str, Callable[[Text], Numbers]] = {"Animals2": _animals2, "biopsy": _biopsy, "birthwt": _birthwt}

TABLES = (
    Table(
        name="stackloss",
        task="regression",
        features=("Air.Flow", "Water.Temp", "Acid.Conc."),
        target="stack.loss",
        rows=21,
        source="Brownlee (1965), Statistical Theory and Methodology in Science and Engineering, 2nd ed., Wiley",
        note="Ammonia lost by a plant that makes nitric acid, in tenths of a percent of what goes in, on 21 days. "
        "Rows 0, 2, 3 and 20 are commonly held to be outliers.",
    ),
    Table(
        name="engel",
        task="regression",
        features=("income",),
        target="foodexp",
        rows=235,
        source="Koenker & Bassett (1982), Robust tests for heteroscedasticity based on regression quantiles, "
        "Econometrica 50, 43-61; collected by Engel (1857)",
        note="Yearly income and food expenditure of Belgian working-class households, in Belgian francs. "
        "The spread grows with income. Row 137 is a bad leverage point.",
    ),
    Table(
        name="phones",
        task="regression",
        features=("year",),
        target="calls",
        rows=24,
        source="Rousseeuw & Leroy (1987), Robust Regression and Outlier Detection, Wiley, p. 26; R package MASS",
        note="Telephone calls in Belgium, 1950 to 1973, the year in two digits. In 1964 to 1969 (rows 14 to 19) "
        "the minutes were recorded in place of the calls, and in part in 1963 and 1970 (rows 13 and 20).",
    ),
    Table(
        name="starsCYG",
        task="regression",
        features=("log.Te",),
        target="log.light",
        rows=47,
        source="Rousseeuw & Leroy (1987), Robust Regression and Outlier Detection, Wiley, p. 27; R package robustbase",
        note="Surface temperature and light intensity of the stars of cluster CYG OB1, both as logarithms to base 10. "
        "Rows 10, 19, 29 and 33 are giants: bad leverage points, which reverse the slope of monotone fits.",
    ),
    Table(
        name="hbk",
        task="regression",
        features=("X1", "X2", "X3"),
        target="Y",
        rows=75,
        source="Hawkins, Bradu & Kass (1984), Location of several outliers in multiple-regression data using elemental "
        "sets, Technometrics 26, 197-208",
        note="Artificial. Rows 0 to 9 are bad leverage points and rows 10 to 13 good ones; "
        "the rest does not depend on X.",
    ),
    Table(
        name="Animals2",
        task="regression",
        features=("log(body)",),
        target="log(brain)",
        rows=65,
        source="Weisberg (1985), Applied Linear Regression, 2nd ed., Wiley, and Rousseeuw & Leroy (1987), Robust "
        "Regression and Outlier Detection, Wiley, p. 57; joined in the R package robustbase",
        note="Body weight in kg and brain weight in g of 65 animals, both as natural logarithms. Three of them are "
        "dinosaurs, whose brains are small for their bodies.",
    ),
    Table(
        name="biopsy",
        task="binary",
        features=tuple(f"V{j}" for j in range(1, 10)),
        target="malignant",
        rows=683,
        source="Wolberg & Mangasarian (1990), Multisurface method of pattern separation for medical diagnosis applied "
        "to breast cytology, PNAS 87, 9193-9196; Wisconsin breast cancer table of the R package MASS",
        note="Nine traits of cells from breast tumours, each scored 1 to 10: clump thickness, uniformity of cell size, "
        "of cell shape, marginal adhesion, size of single epithelial cells, bare nuclei, bland chromatin, normal "
        "nucleoli, mitoses. The 16 rows of the 699 that lack V6 are left out.",
        classes=("benign", "malignant"),
    ),
    Table(
        name="birthwt",
        task="binary",
        features=("age", "lwt", "race=black", "race=other", "smoke", "ptd", "ht", "ui", "ftv=1", "ftv=2+"),
        target="low",
        rows=189,
        source="Hosmer & Lemeshow (1989), Applied Logistic Regression, Wiley; "
        "recoded as in Venables & Ripley (2002), Modern Applied Statistics with S, 4th ed., Springer, section 7.2",
        note="Births at Baystate Medical Center, Springfield, 1986: was the weight below 2.5 kg? Mother's age in "
        "years, weight in pounds, race (white is the base), smoking, any premature labour before (ptd), hypertension "
        "(ht), uterine irritability (ui), visits to a physician in the first trimester (ftv: none is the base).",
        classes=("no", "yes"),
    ),
)
