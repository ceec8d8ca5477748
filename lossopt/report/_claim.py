"""Claim: one number that an experiment measured, beside the number that a source says it should be."""

import math
from dataclasses import dataclass
from typing import Any, Literal


Kind = Literal["equal", "relative", "at_most", "at_least"]

_MARGIN = {"equal": "± {}", "relative": "± {} of it", "at_most": "+ {}", "at_least": "− {}"}
_BOUND = {"equal": "", "relative": "", "at_most": "at most ", "at_least": "at least "}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What was expected, what was measured, and whether the two agree.

    It holds when `|measured - expected| <= tolerance` ("equal"), `<= tolerance |expected|` ("relative"),
    `measured <= expected + tolerance` ("at_most") or `measured >= expected - tolerance` ("at_least"). A measured NaN
    never holds. For a yes or a no, measure 1 or 0.

    Attributes:
        statement: what is claimed, as a sentence that can be false.
        measured: by this run.
        expected: by the source.
        source: where the expected number comes from: a theorem, a published table, another programme.
        tolerance: how far apart the two may be, decided before the run.
        kind: how they are compared.
        interval: the uncertainty of `measured` (low, high); it is shown, and does not enter the verdict.
        unit: of all these numbers, where they have one.

    Raises:
        ValueError: an expected number or a tolerance that nothing could fail against.
    """

    statement: str
    measured: float
    expected: float
    source: str
    tolerance: float = 0.0
    kind: Kind = "equal"
    interval: tuple[float, float] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        # A scalar of JAX or NumPy is let in as the number that it is, so that it can be compared and saved.
        for name in ("measured", "expected", "tolerance"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.interval is not None:
            low, high = self.interval
            object.__setattr__(self, "interval", (float(low), float(high)))
        if self.kind not in _MARGIN:
            raise ValueError(f"kind={self.kind!r}: use one of {', '.join(_MARGIN)}.")
        if math.isnan(self.expected):
            raise ValueError(f"Nothing is expected in {self.statement!r}: give a number that its source states.")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance={self.tolerance} in {self.statement!r}: give a finite number of at least 0.")

    @property
    def holds(self) -> bool:
        """Whether the measured number is where the source says."""
        if self.kind == "at_most":
            return self.measured <= self.expected + self.tolerance
        if self.kind == "at_least":
            return self.measured >= self.expected - self.tolerance
        margin = self.tolerance * (abs(self.expected) if self.kind == "relative" else 1.0)
        # The first comparison is for infinite numbers, whose difference is NaN.
        return self.measured == self.expected or abs(self.measured - self.expected) <= margin

    @property
    def found(self) -> str:
        """The measured number and its interval, for people."""
        value = _shown(self.measured, self.unit)
        return value if self.interval is None else f"{value} ({_shown(self.interval[0])} to {_shown(self.interval[1])})"

    @property
    def wanted(self) -> str:
        """The expected number and how far the measured one may be from it, for people."""
        margin = f" {_MARGIN[self.kind].format(_shown(self.tolerance))}" if self.tolerance else ""
        return f"{_BOUND[self.kind]}{_shown(self.expected, self.unit)}{margin}"

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "FAILS"
        return f"{verdict}: {self.statement}: measured {self.found}, expected {self.wanted} ({self.source})"


def _shown(number: float, unit: str = "") -> str:
    """Six significant digits at most, with a true minus sign."""
    return f"{number:.6g}".replace("-", "−") + (f" {unit}" if unit else "")


def from_dict(fields: dict[str, Any]) -> Claim:
    """The claim whose `dataclasses.asdict` this is; numbers may be text, and a saved verdict is measured anew."""
    return Claim(**{name: value for name, value in fields.items() if name != "holds"})
