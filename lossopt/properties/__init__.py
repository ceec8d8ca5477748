"""Measures what a card claims, for any loss: `check(loss) -> Report`."""

from ._check import check as check
from ._report import Finding as Finding, Report as Report
