"""What need not be done again: keys, records beside reports, what is noted of the data."""

import json

import pytest

from shells import write_notebook
from workbook import notebooks
from workbook.running import plan, up_to_date
from workbook.running.plan import Data, Task

ABOUT = dict.fromkeys(
    ("source", "region", "notebook", "theme", "claim", "status", "error", "language"), ""
)
ABOUT |= {"source": "small", "region": "North 华北", "language": "en", "status": "ok"}
ABOUT |= {"provenance": {}, "parameters": {}}
CELL = {"cell_type": "markdown", "source": "", "metadata": {}}
REPORT = {"metadata": {"workbook": ABOUT}, "cells": [CELL]}
PROVENANCE = {"data_until": "2026-06-30", "data": "d1", "notebook": "n1", "module": "m1"}


@pytest.fixture
def task(tmp_path, monkeypatch):
    path = tmp_path / "H12_value.ipynb"
    path.write_text("{}")
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    made = Task(path, "small", "North 华北", {"source": "small"}, tmp_path / "reports", PROVENANCE)
    made.executed.parent.mkdir(parents=True)
    for name in (made.executed, made.executed.with_suffix(".html")):
        name.write_text(json.dumps(REPORT))
    return made


def other(task, **changes):
    return Task(**{**vars(task), **changes})


def test_a_report_is_done_once_it_is_written_down(task):
    assert not up_to_date.is_done(task)
    up_to_date.finish(task, 12.345, failed=False)
    assert up_to_date.is_done(task)
    assert up_to_date.record(task.executed).seconds == 12.35


@pytest.mark.parametrize("name", PROVENANCE)
def test_each_fingerprint_makes_another_key(task, name):
    up_to_date.finish(task, 1.0, failed=False)
    assert not up_to_date.is_done(other(task, provenance=PROVENANCE | {name: "new"}))


def test_another_parameter_makes_another_key(task):
    up_to_date.finish(task, 1.0, failed=False)
    assert not up_to_date.is_done(other(task, parameters={"source": "small", "seed": 2}))
    assert up_to_date.key(task) == up_to_date.key(other(task))


def test_a_report_that_failed_or_whose_page_is_gone_is_not_done(task):
    up_to_date.finish(task, 1.0, failed=True)
    assert not up_to_date.is_done(task)
    up_to_date.finish(task, 1.0, failed=False)
    task.executed.with_suffix(".html").unlink()
    assert not up_to_date.is_done(task)


def test_a_report_is_not_done_while_it_is_made_but_its_seconds_are_known(task):
    up_to_date.finish(task, 7.0, failed=False)
    up_to_date.begin(task)
    assert not up_to_date.is_done(task)
    assert up_to_date.record(task.executed).seconds == 7.0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1, "more": 2}', "\x00\xff"])
def test_a_record_that_can_not_be_read_is_none(task, text):
    up_to_date.finish(task, 7.0, failed=False)
    beside = task.executed.with_name(".H12_value.json")
    beside.write_text(text, encoding="utf-8")
    assert up_to_date.record(task.executed) == up_to_date.Record()
    assert not up_to_date.is_done(task)


def test_the_reports_of_a_source_change_with_one_of_them(task):
    up_to_date.finish(task, 7.0, failed=False)
    before = up_to_date.of_reports(task.reports, "small")
    up_to_date.finish(other(task, provenance=PROVENANCE | {"data": "d2"}), 7.0, failed=False)
    after = up_to_date.of_reports(task.reports, "small")
    up_to_date.finish(task, 99.0, failed=False)
    assert before != after
    assert up_to_date.of_reports(task.reports, "small") == before  # seconds are no content


def test_the_index_is_that_of_the_reports_until_one_changes(task):
    up_to_date.finish(task, 7.0, failed=False)
    assert not up_to_date.is_indexed(task.reports)
    for name in up_to_date.INDEX:
        (task.reports / name).write_text("whole")
    up_to_date.indexed(task.reports)
    assert up_to_date.is_indexed(task.reports)
    up_to_date.finish(other(task, provenance=PROVENANCE | {"data": "d2"}), 7.0, failed=False)
    assert not up_to_date.is_indexed(task.reports)


def test_what_is_noted_of_the_data_is_read_again(tmp_path):
    data = Data({"North 华北": "d1"}, "2026-06-30", "", "c1")
    up_to_date.note_data(tmp_path, "small", vars(data))
    assert Data(**up_to_date.data(tmp_path, "small")) == data
    assert up_to_date.data(tmp_path, "other") == {}
    (tmp_path / ".data-small.json").write_text("{")
    assert up_to_date.data(tmp_path, "small") == {}


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Two notebooks of regions and one over all, by name."""
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    for name in ("H12_value", "profile", plan.ACROSS):
        write_notebook(tmp_path / "notebooks", name, f"# {name}")
    return notebooks.discover()


def test_tasks_have_the_fingerprints_of_their_region_and_notebook(known, tmp_path):
    data = Data({"North": "d1", "South": "d2"}, "2026-06-30")
    given = {known[name]: {"source": "small"} for name in ("H12_value", "profile")}
    made = plan.Plan("small", data, ["North", "South"], given, tmp_path).regional()
    assert [(each.region, each.notebook) for each in made] == [
        (region, each.path) for region in ("North", "South") for each in given
    ]
    assert [each.provenance["data"] for each in made] == ["d1", "d1", "d2", "d2"]
    assert made[0].provenance["notebook"] != made[1].provenance["notebook"]
    assert len({up_to_date.key(each) for each in made}) == 4


def test_all_regions_are_looked_at_once_there_is_a_notebook_with_a_claim(known, tmp_path):
    data, over = Data({"North": "d1"}, "2026-06-30"), known[plan.ACROSS]

    def across(*names):
        given = {known[name]: {} for name in names}
        return plan.Plan("small", data, ["North"], given, tmp_path).across()

    assert across("profile", plan.ACROSS) == []
    assert across("H12_value") == []  # it was not asked for
    (made,) = across("H12_value", plan.ACROSS)
    assert (made.region, made.notebook) == ("", over.path)
    assert made.executed == tmp_path / "small" / f"{plan.ACROSS}.ipynb"
    assert "region" not in made.given


STRAY = ["", "{}", "[]", '{"cells": [', json.dumps({"cells": [], "metadata": {}}), "\0"]


@pytest.mark.parametrize("text", STRAY)
def test_a_stray_notebook_is_no_report_and_is_named(task, text):
    task.executed.write_text(text)
    (task.reports / "small" / "North 华北" / "Untitled.ipynb").write_text(text)
    (task.reports / "small" / "across_regions.ipynb").mkdir()
    assert up_to_date.of_regions(task.reports) == []
    assert up_to_date.unreadable(task.reports) == [
        f"small/{name}: not read; it is no whole report of a run."
        for name in (
            "North 华北/H12_value.ipynb",
            "North 华北/Untitled.ipynb",
            "across_regions.ipynb",
        )
    ]
    assert not up_to_date.is_indexed(task.reports)


@pytest.mark.parametrize("text", ["[]", "{}", '{"prints": 1}', '"a"', "[" * 9999])
def test_a_damaged_note_of_the_data_is_none(tmp_path, text):
    (tmp_path / ".data-small.json").write_text(text)
    assert up_to_date.data(tmp_path, "small") == {}
