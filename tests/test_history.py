"""What every run found: appended when something changed, compared with the run before."""

import pandas as pd
import pytest

from analysis.claims import across_regions, findings
from analysis.data.sources import DataError
from sample_findings import loss_against_gain
from workbook.pages import history

REGIONS = ("North 华北", "East 华东", "South 华南")
PRINTS = {
    "data_until": "2026-06-30", "data": "d1", "notebook": "n1", "module": "m1", "parameters": "p1",
}  # fmt: skip
ALL = ("North", "East", "South")


def found(effects=(0.30, 0.31, 0.32), **prints):
    """Return findings of H03 in three regions; prints by region replace the usual ones."""
    records = [
        loss_against_gain(effect, 0.05, region=region).record()
        | PRINTS
        | prints.get(region.split()[0], {})
        for effect, region in zip(effects, REGIONS, strict=True)
    ]
    return findings.tidy(records)


def append(folder, table):
    return history.append(folder, table, across_regions.pooled(table))


def test_the_first_run_has_regions_and_what_is_pooled(tmp_path):
    past = append(tmp_path, found())
    assert past["run"].tolist() == [1] * 4
    assert past["region"].tolist() == [*REGIONS, history.EVERYWHERE]
    assert past["estimate"].iloc[3] == pytest.approx(0.31)
    assert history.changes(past).empty


def test_a_run_that_finds_the_same_adds_nothing_and_changes_no_byte(tmp_path):
    append(tmp_path, found())
    before = (tmp_path / history.FILE).read_bytes()
    past = append(tmp_path, found())
    assert (tmp_path / history.FILE).read_bytes() == before
    assert past["run"].max() == 1


def test_a_finding_that_stands_twice_counts_once(tmp_path):
    append(tmp_path, pd.concat([found(), found()]))
    past = history.read(tmp_path)
    pd.concat([past, past]).to_parquet(tmp_path / history.FILE)  # of an earlier version
    past = append(tmp_path, found((0.30, 0.01, 0.32)))
    assert len(history.lines(past, "example", "H03", "asymmetry")) == 2
    assert len(history.changes(past)) == 4


def test_what_is_read_is_what_was_written(tmp_path):
    past = append(tmp_path, found())
    pd.testing.assert_frame_equal(history.read(tmp_path), past)


def test_one_region_s_new_data_is_named_as_the_cause_there_and_for_the_whole(tmp_path):
    append(tmp_path, found())
    past = append(tmp_path, found((0.30, 0.01, 0.32), East={"data": "d2"}))
    told = history.changes(past).set_index("region")
    assert told.loc["East 华东", ["before", "verdict"]].tolist() == [
        "supported", "too small to matter"
    ]  # fmt: skip
    assert told["moved"].to_dict() == {REGIONS[0]: False, REGIONS[1]: True, REGIONS[2]: False,
                                       history.EVERYWHERE: True}  # fmt: skip
    assert told["causes"].to_dict() == {REGIONS[0]: (), REGIONS[1]: ("data",), REGIONS[2]: (),
                                        history.EVERYWHERE: ("data",)}  # fmt: skip


def test_computed_anew_with_the_same_numbers_is_not_moved(tmp_path):
    append(tmp_path, found())
    anew = {name: {"module": "m2"} for name in ALL}
    past = append(tmp_path, found((0.30 + 1e-15, 0.31, 0.32), **anew))
    told = history.changes(past)
    assert not told["moved"].any()
    assert told["anew"].all()
    assert set(told["causes"]) == {("module",)}


def test_numbers_that_differ_in_their_last_digit_only_are_no_other_run(tmp_path):
    append(tmp_path, found())
    assert append(tmp_path, found((0.30 + 1e-15, 0.31, 0.32)))["run"].max() == 1
    assert append(tmp_path, found((0.30 + 1e-6, 0.31, 0.32)))["run"].max() == 2


def test_other_parameters_are_a_cause(tmp_path):
    append(tmp_path, found())
    anew = {name: {"parameters": "p2"} for name in ALL}
    told = history.changes(append(tmp_path, found((0.301, 0.311, 0.321), **anew)))
    assert told["moved"].all()
    assert set(told["causes"]) == {("parameters",)}


def test_a_region_that_is_gone_and_one_that_is_new_are_seen(tmp_path):
    table = found()
    append(tmp_path, table[table["region"] != REGIONS[0]])
    past = append(tmp_path, table[table["region"] != REGIONS[1]])
    told = history.changes(past).set_index("region")
    assert pd.isna(told.loc[REGIONS[0], "before"])
    assert pd.isna(told.loc[REGIONS[1], "verdict"])
    assert told.loc[REGIONS[2], "verdict"] == told.loc[REGIONS[2], "before"]


@pytest.mark.parametrize("is_added", [True, False])
def test_a_region_more_or_less_is_all_that_changes_what_is_pooled(tmp_path, is_added):
    fourth = found().replace({"region": {REGIONS[0]: "West 华西"}, "estimate": {0.30: 0.29}})
    tables = [found(), pd.concat([found(), fourth[fourth["region"] == "West 华西"]])]
    for table in tables if is_added else reversed(tables):
        past = append(tmp_path, table)
    told = history.changes(past).set_index("region")
    assert told.loc[history.EVERYWHERE, "moved"]
    assert told["causes"].to_dict() == {history.EVERYWHERE: ("regions",), "West 华西": ("claims",),
                                        **dict.fromkeys(REGIONS, ())}  # fmt: skip


def test_a_claim_that_is_new_in_every_region_is_named_as_such(tmp_path):
    new = found().assign(hypothesis="H07", part="slope")
    append(tmp_path, found())
    both = pd.concat([found(), new])
    past = history.append(tmp_path, both, across_regions.pooled(found()))
    told = history.changes(past)
    assert set(told.loc[told["hypothesis"] == "H07", "causes"]) == {("claims",)}
    assert set(told.loc[told["hypothesis"] == "H03", "causes"]) == {()}


def test_whether_a_pooled_verdict_stands_is_kept_and_compared(tmp_path):
    table = found()
    pools = across_regions.pooled(table)
    history.append(tmp_path, table, pools)
    past = history.append(tmp_path, table, pools.assign(p_holm=0.2, survives=False))
    assert past["run"].max() == 2
    told = history.changes(history.read(tmp_path)).set_index("region")
    told = told[["stood", "stands", "moved"]]
    assert told.loc[history.EVERYWHERE].tolist() == ["yes", "no", True]
    assert told.loc[REGIONS[0]].tolist() == ["", "", False]


def test_a_file_of_an_earlier_version_is_read_and_what_it_lacks_is_no_difference(tmp_path):
    append(tmp_path, found())
    path = tmp_path / history.FILE
    pd.read_parquet(path).drop(columns=history.LATER).to_parquet(path)
    past = append(tmp_path, found())
    assert past["run"].max() == 1
    assert list(past) == history.COLUMNS
    past = append(tmp_path, found((0.30, 0.30, 0.32), East={"data": "d2"}))
    told = history.changes(past).set_index("region")
    assert told["causes"].to_dict() == {REGIONS[0]: (), REGIONS[1]: ("data",), REGIONS[2]: (),
                                        history.EVERYWHERE: ("data",)}  # fmt: skip
    assert told.loc[history.EVERYWHERE, ["stood", "stands"]].tolist() == ["", "yes"]


def test_the_days_of_runs_are_those_of_the_data(tmp_path):
    append(tmp_path, found())
    past = append(tmp_path, found((0.3, 0.2, 0.32), East={"data_until": "2026-09-30"}))
    days = history.days(past)
    assert days["example", history.EVERYWHERE].tolist() == ["2026-06-30", "2026-09-30"]
    assert days["example", REGIONS[0]].tolist() == ["2026-06-30", "2026-06-30"]


def test_lines_have_a_column_per_region_and_one_for_all(tmp_path):
    append(tmp_path, found())
    append(tmp_path, found((0.30, 0.21, 0.32), East={"data": "d2"}))
    lines = history.lines(history.read(tmp_path), "example", "H03", "asymmetry")
    assert lines["East 华东"].tolist() == [0.31, 0.21]
    assert lines[history.EVERYWHERE].iloc[1] < lines[history.EVERYWHERE].iloc[0]


def test_a_file_that_is_no_history_is_named(tmp_path):
    (tmp_path / history.FILE).write_text("not parquet")
    with pytest.raises(DataError, match=r"history\.parquet: this is no history"):
        append(tmp_path, found())
    pd.DataFrame({"run": [1]}).to_parquet(tmp_path / history.FILE)
    with pytest.raises(DataError, match="expected a Parquet file with the columns run, source"):
        history.read(tmp_path)
