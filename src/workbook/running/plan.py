"""Expand the command line into tasks: one per notebook and region, one per notebook over all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import sources
from analysis.data.sources import ROOT
from workbook import notebooks
from workbook.notebooks import Notebook, UsageError
from workbook.running import fingerprints, up_to_date

if TYPE_CHECKING:
    from analysis.data.dataset import Dataset
    from analysis.data.mapping.source import Source

ACROSS = "across_regions"
"""The notebook whose page the index links to from its columns over all regions."""


@dataclass(frozen=True)
class Task:
    """One notebook to be executed for one region."""

    notebook: Path  # as it is in git
    source: str
    region: str  # empty for a notebook over all regions
    parameters: Mapping[str, object]
    reports: Path  # where the executed notebook and its page go
    provenance: Mapping[str, str] = field(default_factory=dict)  # see `findings.PROVENANCE`
    theme: str = ""  # a worker elsewhere may not know the folder of all notebooks

    @property
    def claim(self) -> str:
        """Id of the claim that the notebook tests; empty where it tests none."""
        return notebooks.claim_of(self.notebook)

    @property
    def executed(self) -> Path:
        """Where the executed notebook goes; its page stands beside it."""
        return self.reports / self.source / self.region / self.notebook.name

    @property
    def given(self) -> dict[str, object]:
        """What the notebook is given: its parameters and, if it is run per region, the region."""
        return dict(self.parameters) | ({"region": self.region} if self.region else {})


@dataclass(frozen=True)
class Data:
    """What a run must know of a source's data."""

    prints: Mapping[str, str]  # fingerprint of each region's data
    until: str  # the last day that counts, as a date; empty where there is none
    as_of: str = ""  # the day that was asked for; empty for the data's own end
    content: str | None = None  # fingerprint of the source's files; None where not known


@dataclass(frozen=True)
class Plan:
    """What a run is asked to do."""

    source: str
    data: Data
    regions: Sequence[str]
    given: Mapping[Notebook, Mapping[str, object]]  # the parameters of each notebook
    reports: Path
    refused: Sequence[str] = ()  # why other notebooks that were asked for can't be run

    def regional(self) -> list[Task]:
        """Return a task for every region and notebook that is run per region."""
        tasks = [self._task(each) for each in self.given if each.is_per_region]
        prints = {region: {"data": self.data.prints[region]} for region in self.regions}
        return [
            replace(task, region=region, provenance=task.provenance | own)
            for region, own in prints.items()
            for task in tasks
        ]

    def across(self) -> list[Task]:
        """Return a task for every notebook that looks at the findings of all regions together.

        What it depends on are the reports of the regions that stand in the folder by now. There
        is none while no report that tests a claim is there, or will be.
        """
        there = up_to_date.of_regions(self.reports)
        claims = [notebooks.claim_of(path) for path in there if path.parts[-3] == self.source]
        claims += [each.claim for each in self.given if each.is_per_region]
        if not any(claims):
            return []
        data = {"data": up_to_date.of_reports(self.reports, self.source)}
        tasks = [self._task(each) for each in self.given if not each.is_per_region]
        return [replace(task, provenance=task.provenance | data) for task in tasks]

    def _task(self, notebook: Notebook) -> Task:
        """Return the task of a notebook, with the fingerprints of all it comes from but data."""
        given = self.given[notebook]
        own = {name: value for name, value in given.items() if name != "source"}  # maybe a path
        provenance = {
            "data_until": self.data.until,
            "module": fingerprints.module(),
            "notebook": fingerprints.notebook(notebook.path),
            "parameters": fingerprints.short([json.dumps(own, sort_keys=True).encode()]),
        }
        about = (notebook.path, self.source, "", given, self.reports, provenance)
        return Task(*about, notebook.theme)


def in_turns(tasks: Sequence[Task], jobs: int) -> list[Task]:
    """Return tasks in an order in which as many regions take turns as notebooks run at once.

    The first notebook of a region prepares its data, and the next ones need not wait for it.
    """
    regions = dict.fromkeys(task.region for task in tasks)
    turn = {region: number // jobs for number, region in enumerate(regions)}
    return sorted(tasks, key=lambda task: (turn[task.region], task.notebook.name))


def noted_data(source: Source, as_of: str, noted: Mapping[str, object]) -> Data | None:
    """Return what was noted of a source's data, if its files are still the same; else None."""
    content = fingerprints.content(source)
    same = content is not None and (noted.get("content"), noted.get("as_of")) == (content, as_of)
    return Data(**noted) if same else None


def read_data(dataset: Dataset, as_of: str, content: str | None) -> Data:
    """Read what a run must know of a source's data; it is a `UsageError` if it has no region.

    `content` is the fingerprint of its files as they were before it was opened.
    """
    from analysis.data.region import last_day  # which brings pandas and more
    from workbook.running import contents

    prints, name = contents.regions(dataset, as_of), dataset.source.name
    if not prints:
        raise UsageError(f"{name}: no customer has a region that can be used: workbook check.")
    until = str(last_day(dataset, as_of) or "")
    return Data(prints, until, as_of, content)


def portable(source: str) -> str:
    """Return a source as a name, or as a path from where the workbook is."""
    if not source.endswith(".toml"):
        return source
    return Path(os.path.relpath(sources.find(source), ROOT)).as_posix()
