"""Fingerprints of what a finding came from: the data's files, the notebook, the module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import analysis
import workbook
from analysis.claims import hypotheses
from analysis.data.cache import LENGTH, content, short
from analysis.data.sources import ROOT

__all__ = ["LENGTH", "content", "module", "notebook", "short"]
PACKAGES = tuple(Path(each.__file__).parent for each in (analysis, workbook))


def notebook(path: Path) -> str:
    """Return the fingerprint of a notebook's file."""
    return short([path.read_bytes()])


@cache
def module() -> str:
    """Return the fingerprint of both packages and of the versions that they run with.

    The register has its own, and the example regions are data.
    """
    files = [path for package in PACKAGES for path in sorted(package.rglob("*")) if path.is_file()]
    parts = [path for path in files if path.suffix != ".pyc" and path != hypotheses.REGISTER_FILE]
    lock = ROOT / "requirements.lock"
    return short(path.read_bytes() for path in [*parts, *([lock] if lock.exists() else [])])
