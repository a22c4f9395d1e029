"""What need not be done again: keys, records beside reports, what is noted of the data."""

import json

import pytest

from workbook.running import plan, up_to_date
from workbook.running.plan import Data, Task

PRINTS = {"data_until": "2026-06-30", "data": "d1", "notebook": "n1", "module": "m1"}


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "04_customer_value.ipynb"
    path.write_text("{}")
    made = Task(path, "small", "North 华北", {"source": "small"}, tmp_path / "reports", PRINTS)
    made.executed.parent.mkdir(parents=True)
    for name in (made.executed, made.executed.with_suffix(".html")):
        name.write_text("whole")
    return made


def other(task, **changes):
    return Task(**{**vars(task), **changes})


def test_a_report_is_done_once_it_is_written_down(task):
    assert not up_to_date.is_done(task)
    up_to_date.finish(task, 12.345, failed=False)
    assert up_to_date.is_done(task)
    assert up_to_date.record(task.executed).seconds == 12.35


@pytest.mark.parametrize("name", PRINTS)
def test_each_fingerprint_makes_another_key(task, name):
    up_to_date.finish(task, 1.0, failed=False)
    assert not up_to_date.is_done(other(task, prints=PRINTS | {name: "new"}))


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
    beside = task.executed.with_name(".04_customer_value.json")
    beside.write_text(text, encoding="utf-8")
    assert up_to_date.record(task.executed) == up_to_date.Record()
    assert not up_to_date.is_done(task)


def test_the_reports_of_a_source_change_with_one_of_them(task):
    up_to_date.finish(task, 7.0, failed=False)
    before = up_to_date.of_reports(task.reports, "small")
    up_to_date.finish(other(task, prints=PRINTS | {"data": "d2"}), 7.0, failed=False)
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
    up_to_date.finish(other(task, prints=PRINTS | {"data": "d2"}), 7.0, failed=False)
    assert not up_to_date.is_indexed(task.reports)


def test_what_is_noted_of_the_data_is_read_again(tmp_path):
    data = Data({"North 华北": "d1"}, "2026-06-30", "", "c1")
    up_to_date.note_data(tmp_path, "small", vars(data))
    assert Data(**up_to_date.data(tmp_path, "small")) == data
    assert up_to_date.data(tmp_path, "other") == {}
    (tmp_path / ".data-small.json").write_text("{")
    assert up_to_date.data(tmp_path, "small") == {}


def test_tasks_have_the_fingerprints_of_their_region_and_notebook(tmp_path):
    data = Data({"North": "d1", "South": "d2"}, "2026-06-30")
    paths = list(plan.notebooks().values())[:2]
    given = {path: {"source": "small"} for path in paths}
    made = plan.tasks("small", data, ["North", "South"], given, tmp_path)
    assert [(each.region, each.notebook) for each in made] == [
        (region, path) for region in ("North", "South") for path in paths
    ]
    assert [each.prints["data"] for each in made] == ["d1", "d1", "d2", "d2"]
    assert made[0].prints["notebook"] != made[1].prints["notebook"]
    assert len({up_to_date.key(each) for each in made}) == 4


def test_all_regions_are_looked_at_once_there_is_a_notebook_with_findings(tmp_path):
    data, known = Data({"North": "d1"}, "2026-06-30"), plan.notebooks()
    profile = plan.tasks("small", data, ["North"], {known["01_data_profile"]: {}}, tmp_path)
    worth = plan.tasks("small", data, ["North"], {known["04_customer_value"]: {}}, tmp_path)
    assert plan.across(profile) == []
    (over,) = plan.across(worth)
    assert (over.region, over.notebook.stem) == ("", plan.ACROSS)
    assert over.executed == tmp_path / "small" / f"{plan.ACROSS}.ipynb"
    assert "region" not in over.given


def test_the_defaults_of_a_notebook_s_parameters_are_read_without_running_it():
    path = plan.notebooks()["04_customer_value"]
    assert plan.parameters(path, ["seed=5", "language=zh"]) == {"seed": 5, "language": "zh"}
    assert json.loads(path.read_text(encoding="utf-8"))["cells"][1]["outputs"] == []
