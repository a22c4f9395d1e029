"""A region that is kept for the length of a run is the region that was loaded."""

import dataclasses
import os
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
            if field.name == "tables":
                for table in before:
                    pd.testing.assert_frame_equal(before[table], after[table])
            elif isinstance(before, pd.DataFrame):
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
    assert cache.path_of(source, "North", "") is None
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    places = [
        cache.path_of(source, *each)
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
    assert cache.path_of(source, "North", "") is None


LOAD = """import sys, time
from analysis.data import region
load = region._loaded
def slow(*given):
    print("loads", flush=True)
    time.sleep(1)
    return load(*given)
region._loaded = slow
print(len(region.load_region(sys.argv[1], "North").customers))
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


COUNT = """import sys
from pathlib import Path
import pandas as pd
from analysis.data import cache
from analysis.data.region import load_region

@cache.per_region
def customers(here, least=0):
    print("computes")
    return pd.DataFrame({"n": [len(here.customers) + least]})

given = {"least": int(sys.argv[3])} if len(sys.argv) > 3 else {}
here = load_region(sys.argv[1], "North", sys.argv[2])
found = customers(here, **given)
assert customers(here, **given).equals(found)
print(found["n"].item())
"""


@pytest.fixture
def count(small, tmp_path):
    """Return a function that calls a cached function in a process of its own."""

    def run(*args, env=()):
        unset = dict.fromkeys(["WORKBOOK_CACHE", "WORKBOOK_REPORTS"])
        own = unset | {"XDG_CACHE_HOME": str(tmp_path / "home")} | dict(env)
        env = {name: value for name, value in (os.environ | own).items() if value is not None}
        command = [sys.executable, "-c", COUNT, small, *(args or [""])]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def own_cache(tmp_path):
    return tmp_path / "home" / "customer-research-workbook"


def test_what_was_computed_is_loaded_by_another_process(count):
    assert count() == ["computes", "2"]
    assert count() == ["2"]
    assert count("", "0") == ["2"]  # the default, written out


def test_what_its_name_does_not_cover_is_computed_again(count, small, tmp_path):
    assert count() == ["computes", "2"]
    assert count("2024-06-30") == ["computes", "2"]
    assert count("", "5") == ["computes", "7"]
    path = tmp_path / "small" / "customers.csv"
    path.write_text(path.read_text() + "d,North,van,urban,2024-01-05,\n")
    assert count() == ["computes", "3"]


def test_changed_code_computes_again(monkeypatch, small, tmp_path):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    calls = []

    @cache.per_region
    def customers(here):
        calls.append(here.name)
        return len(here.customers)

    for code in ("one", "one", "other"):
        monkeypatch.setattr(cache, "code", lambda *_, of=code: of)
        assert customers(load_region(small, "North")) == 2
    assert calls == ["North", "North"]


@pytest.mark.parametrize("name", ["survey.py", "register.toml"])
def test_the_code_s_fingerprint_covers_python_and_toml_files(name, tmp_path):
    before = cache.code(tmp_path)
    (tmp_path / name).write_text("a = 1")
    assert cache.code(tmp_path) != before


def test_a_damaged_file_is_computed_again(count, tmp_path):
    count()
    for path in own_cache(tmp_path).rglob("*"):
        if path.is_file():
            path.write_bytes(b"\xff\x80\x04 no pickle")
    assert count() == ["computes", "2"]
    assert count() == ["2"]


@pytest.mark.parametrize("is_kept", [True, False], ids=["on disk", "in memory"])
def test_what_a_caller_changes_in_place_nobody_else_gets(small, tmp_path, monkeypatch, is_kept):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path) if is_kept else "")
    here = load_region(small, "North")
    before = here.tables["customers"].copy()
    for frame in (here.customers, here.tables["customers"]):
        frame["segment"] = "all"
        del frame["area"]
    pd.testing.assert_frame_equal(here.customers, before)
    again = here.with_tables(customers=before)
    before.loc[:, "segment"] = "all"
    assert "all" not in set(again.customers["segment"])

    @cache.per_region
    def nested(here):
        frame = pd.DataFrame({"n": [1.0]})
        return purchases.LastYear(here.start, here.end, frame, 1, ""), [{"a": frame.to_numpy()}]

    for region in (here, here, load_region(small, "North")):
        year, (arrays,) = nested(region)
        assert (year.buyers["n"].item(), arrays["a"].item()) == (1.0, 1.0)
        assert type(year) is purchases.LastYear
        year.buyers["n"] += 10
        if arrays["a"].flags.writeable:
            arrays["a"][:] = 7
        arrays["b"] = 2


def test_the_user_s_cache_is_private_and_can_be_cleared(count, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    count()
    assert own_cache(tmp_path).stat().st_mode & 0o777 == 0o700
    cache.clear()
    assert not own_cache(tmp_path).exists()
    assert count() == ["computes", "2"]


def test_old_entries_go(count, tmp_path):
    count()
    month = cache.MAX_AGE.total_seconds() + 60
    old = {path: path.stat().st_mtime - month for path in own_cache(tmp_path).iterdir()}
    for path, moment in old.items():
        os.utime(path, (moment, moment))
    assert count("", "1") == ["computes", "3"]
    left = {path: path.stat().st_mtime for path in own_cache(tmp_path).iterdir()}
    assert min(left.values()) > max(old.values())  # none of the old ones is loaded, either


@pytest.mark.parametrize("folder", ["", "/dev/null"])
def test_without_a_folder_each_process_computes(folder, count):
    for _ in range(2):
        assert count(env={"WORKBOOK_CACHE": folder}) == ["computes", "2"]


def test_a_region_that_was_changed_has_values_of_its_own(small, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))

    @cache.per_region
    def customers(here):
        return len(here.customers)

    here = load_region(small, "North")
    assert here.key
    assert customers(here) == 2
    changed = here.with_tables(customers=here.customers.iloc[:1])
    assert not changed.key
    assert customers(changed) == 1


@pytest.mark.parametrize("limit", [0, cache.LARGE])
def test_a_file_that_was_written_is_another(small, monkeypatch, limit):
    monkeypatch.setattr(cache, "LARGE", limit)
    source = sources.read(small)
    first, path = cache.content(source), source.folder / "transactions.csv"
    assert cache.content(source) == first
    before, text = path.stat(), path.read_bytes()
    path.write_bytes(text.replace(b"2024-02", b"2024-03"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.content(source) != first
