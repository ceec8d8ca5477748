"""What was measured of a loss, and how it compares with what the card claims."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import losses
from ._functionals import explains, Point
from ._laws import at_home, named
from ._subject import choose, Subject


class Finding(NamedTuple):
    """One claim of a card beside its measurement."""

    field: str
    claimed: Any
    measured: Any
    agrees: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What `check` measured. None: not measurable for this loss.

    Attributes:
        loss, task, precision: what was measured, and in which float.
        gradient_error, curvature_error: how far the derivatives that JAX returns lie outside what differences of the
            function allow, relative; 0 where they agree.
        kinks: where the slope jumps, as residuals, margins or (for a loss of probabilities) probabilities.
        subgradients: the slope that JAX returns at each kink.
        lipschitz, smoothness, least_curvature: sup |slope|, sup and inf curvature; inf is a measured growth or a kink.
        supremum, infimum: of the loss.
        redescending, symmetric, origin, tails, zero_at_perfect_fit: as on a LossCard.
        elicits: the functional of the target that the best constant is, with its level where it has one.
        proper, calibrated, noise_symmetric: classification only.
        efficiency: at Gaussian noise of unit scale; symmetric losses of a residual only.
        noise: every named distribution whose negative log likelihood this is.
        warnings: what a user should know before using the loss, one sentence each.
        findings: each claim of the card, if there is one, beside its measurement.
    """

    loss: str
    task: str
    precision: str
    gradient_error: float
    curvature_error: float
    kinks: tuple[float, ...]
    subgradients: tuple[float, ...]
    lipschitz: float
    smoothness: float
    least_curvature: float
    supremum: float
    infimum: float
    redescending: bool
    symmetric: bool
    origin: float | None
    tails: str | None
    zero_at_perfect_fit: bool
    elicits: str | None
    proper: bool | None
    calibrated: bool | None
    noise_symmetric: bool | None
    efficiency: float | None
    noise: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def convex(self) -> bool:
        """Whether the loss is convex in the prediction."""
        return self.least_curvature >= 0

    @property
    def bounded(self) -> bool:
        """Whether no single example can cost more than a constant."""
        return math.isfinite(self.supremum)

    @property
    def non_negative(self) -> bool:
        """Whether the loss is never below 0."""
        return self.infimum >= 0

    @property
    def differentiable(self) -> bool:
        """Whether the slope is continuous everywhere."""
        return not self.kinks

    @property
    def agrees(self) -> bool:
        """Whether no claim is refuted; true where nothing is claimed."""
        return all(finding.agrees for finding in self.findings)

    def table(self) -> str:
        """The measurements, beside the claims where there are any, as plain text."""
        claims = {finding.field: finding for finding in self.findings}
        rows = [("", "measured", "claimed", "")] if claims else []
        for field in _SHOWN:
            found = claims.get(field)
            verdict = "" if found is None else "agrees" if found.agrees else "REFUTED"
            rows.append((field, _text(getattr(self, field)), "" if found is None else _text(found.claimed), verdict))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        heading = f"{self.loss} ({self.task}, measured in {self.precision})"
        return "\n".join([heading, *lines, *(f"warning: {warning}" for warning in self.warnings)])

    def __str__(self) -> str:
        return self.table()


_HIDDEN = ("loss", "task", "precision", "warnings", "findings")
_SHOWN = [field.name for field in dataclasses.fields(Report) if field.name not in _HIDDEN]
_SHOWN.insert(_SHOWN.index("infimum") + 1, "non_negative")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value) or "none"
    return {None: "-", True: "yes", False: "no"}.get(value, str(value))


def findings(
    card: losses.LossCard, report: Report, what: Subject, minimisers: list[Point], hyperparameters: Mapping[str, Any]
) -> tuple[Finding, ...]:
    """Every claim of a card beside its measurement; a field that is None claims nothing."""
    found = []
    for field, compare in _COMPARISONS.items():
        claimed, measured = getattr(card, field), getattr(report, field)
        if claimed is not None:
            found.append(Finding(field, claimed, measured, compare(claimed, measured)))
    if card.elicits is not None:
        name = str(card.elicits)
        law = what.prediction == "location and log scale" and name in named(at_home(what, hyperparameters))
        agrees = (
            law or name == report.elicits or (bool(minimisers) and explains(name, what, minimisers, hyperparameters))
        )
        found.append(Finding("elicits", name, report.elicits, agrees))
    return tuple(found)


def _same_number(claimed: float, measured: float | None) -> bool:
    # Both ways: a bound must hold, and it must be attained.
    if measured is None or math.isnan(measured):
        return False
    return math.isclose(claimed, measured, rel_tol=choose(1e-6, 2e-3), abs_tol=choose(1e-9, 1e-4))


def _same_places(claimed: tuple[float, ...], measured: tuple[float, ...]) -> bool:
    slack = choose(1e-9, 1e-3)
    return len(claimed) == len(measured) and all(
        math.isclose(a, b, rel_tol=slack, abs_tol=slack) for a, b in zip(sorted(claimed), measured, strict=True)
    )


def _same(claimed: Any, measured: Any) -> bool:
    return bool(claimed == measured)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "kinks": _same_places,
    "lipschitz": _same_number,
    "smoothness": _same_number,
    "least_curvature": _same_number,
    "supremum": _same_number,
    "non_negative": _same,
    "redescending": _same,
    "symmetric": _same,
    "origin": _same_number,
    "tails": _same,
    "zero_at_perfect_fit": _same,
    "proper": _same,
    "calibrated": _same,
    "noise_symmetric": _same,
    "efficiency": _same_number,
    "noise": lambda claimed, measured: claimed in measured,
}
