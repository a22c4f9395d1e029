"""A region that is kept for the length of a run is the region that was loaded."""

import dataclasses

import pandas as pd
import pytest

from analysis import data, prepared, purchases, sources


@pytest.fixture
def small(write_source):
    return str(write_source())


def test_what_is_read_is_what_was_kept(small, tmp_path, monkeypatch):
    plain = data.load(small, "North")
    monkeypatch.setenv(prepared.FOLDER, str(tmp_path))
    for again in (data.load(small, "North"), data.load(small, "North")):
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
    assert prepared.place(source, "North", "") is None
    monkeypatch.setenv(prepared.FOLDER, str(tmp_path))
    places = [
        prepared.place(source, *each)
        for each in (("North", ""), ("South", ""), ("North", "2024-06-30"))
    ]
    assert len(set(places)) == 3
    assert data.load(small, "North", "2024-06-30").end != data.load(small, "North").end


def test_a_second_load_does_not_read_the_files(small, tmp_path, monkeypatch):
    monkeypatch.setenv(prepared.FOLDER, str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    first = data.load(small, "North")
    (tmp_path / "small" / "transactions.csv").unlink()
    pd.testing.assert_frame_equal(data.load(small, "North").customers, first.customers)


def test_a_region_without_purchases_is_kept_too(write_source, tmp_path, monkeypatch):
    monkeypatch.setenv(prepared.FOLDER, str(tmp_path))
    small = str(write_source(transactions=None))
    assert data.load(small, "North").purchases is None
    assert data.load(small, "North").purchases is None


def test_rows_of_a_database_by_address_are_not_copied(small, tmp_path, monkeypatch):
    monkeypatch.setenv(prepared.FOLDER, str(tmp_path))
    source = dataclasses.replace(sources.read(small), database="postgres://me:secret@host/db")
    assert prepared.place(source, "North", "") is None
