"""A region that is kept for the length of a run is the region that was loaded."""

import dataclasses
import resource
import subprocess
import sys

import pandas as pd
import pytest

from analysis.cohorts import purchases
from analysis.data import cache, sources
from analysis.data.region import load_region


@pytest.fixture
def small(write_source):
    return str(write_source())


def test_what_is_read_is_what_was_kept(small, tmp_path, monkeypatch):
    plain = load_region(small, "North")
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    for again in (load_region(small, "North"), load_region(small, "North")):
        for field in dataclasses.fields(plain):
            before, after = getattr(plain, field.name), getattr(again, field.name)
            if isinstance(before, pd.DataFrame):
                pd.testing.assert_frame_equal(before, after)
            elif field.name != "purchases":
                assert before == after
        counts = [
            purchases.per_customer(each, each.start, each.end).sort_index()
            for each in (plain, again)
        ]
        pd.testing.assert_frame_equal(*counts)


def test_each_region_and_day_has_a_place_of_its_own(small, tmp_path, monkeypatch):
    source = sources.read(small)
    assert cache.place(source, "North", "") is None
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    places = [
        cache.place(source, *each)
        for each in (("North", ""), ("South", ""), ("North", "2024-06-30"))
    ]
    assert len(set(places)) == 3
    assert load_region(small, "North", "2024-06-30").end != load_region(small, "North").end


def test_a_second_load_does_not_read_the_files(small, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    first = load_region(small, "North")
    (tmp_path / "small" / "transactions.csv").unlink()
    pd.testing.assert_frame_equal(load_region(small, "North").customers, first.customers)


def test_a_source_is_read_once_for_all_its_regions(small, tmp_path, monkeypatch):
    plain = {name: load_region(small, name) for name in ("North", "South")}
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    load_region(small, "North")
    for file in (tmp_path / "small").glob("*.csv"):
        file.unlink()
    south = load_region(small, "South")
    pd.testing.assert_frame_equal(south.customers, plain["South"].customers)
    assert south.rows == plain["South"].rows
    assert south.purchases.amount.sum().execute() == 400
    with pytest.raises(sources.DataError, match=r"No region .Sauth.*Did you mean 'South'"):
        load_region(small, "Sauth")


def test_a_region_without_purchases_is_kept_too(write_source, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    small = str(write_source(transactions=None))
    assert load_region(small, "North").purchases is None
    assert load_region(small, "North").purchases is None


def test_rows_of_a_database_by_address_are_not_copied(small, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    source = dataclasses.replace(sources.read(small), database="postgres://me:secret@host/db")
    assert cache.place(source, "North", "") is None


LOAD = """import sys, time
from analysis import data
loaded = load_region
def slow(*given):
    print("loads", flush=True)
    time.sleep(1)
    return loaded(*given)
load_region = slow
print(len(load_region(sys.argv[1], "North").customers))
"""


def test_of_two_notebooks_at_once_one_loads_and_the_other_waits(small, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    command = [sys.executable, "-c", LOAD, small]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0] for process in both)
    assert said == ["2\n", "loads\n2\n"]


def test_without_room_a_region_is_loaded_and_not_kept(small, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        here = load_region(small, "North")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert len(here.customers) == 2
    assert not list(tmp_path.glob("*.parquet"))
