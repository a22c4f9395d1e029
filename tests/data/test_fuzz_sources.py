"""Whatever stands in a TOML file or in the bytes of a data file: it is read, or refused by name.

FUZZ says how many examples are tried; 2,000 unless it does.
"""

import datetime as dt
import io
import os
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.data import dataset, sources
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.mapping.keys import ColumnKeys, JoinKeys, SourceKeys, TableKeys
from analysis.data.mapping.schema import build
from analysis.data.mapping.source import Part, TableMap
from analysis.data.reading import engine as engines
from analysis.data.reading import failures
from analysis.data.reading.raw import raw_tables
from tables import CUSTOMERS

EXAMPLES = int(os.environ.get("FUZZ", "2000"))


def share(part):
    """Return settings for a part of all examples."""
    calm = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
    return settings(max_examples=max(1, int(part * EXAMPLES)), suppress_health_check=calm)


COLUMNS = sorted({column for table in TABLES.values() for column in table.columns})
WORDS = [*SourceKeys.model_fields, *TableKeys.model_fields, *ColumnKeys.model_fields]
WORDS += [*JoinKeys.model_fields, "min", "max", *TABLES, *COLUMNS]
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*COLUMNS, "*", "[1].csv", "a\0b", "x" * 5000, "../../etc/passwd", "[/x]", ""]),
    st.sampled_from(["hex", "utf-16", "%Q", "%d.%m.%Y", "%", "excel", "1e999", "nan", "\x1b[2J"]),
    st.sampled_from(["customers.csv", "transactions.csv", "${HOME}/x.db", "${NOT_THERE}", "md:x"]),
    st.sampled_from(
        ["duckdb://a?x", "postgres//me:x@h", "host=a password=b", "CN", "Asia/Shanghai"]
    ),
    st.sampled_from(
        ["a*b/(c-1)", "a**9**9", "()" * 300, "__import__('os')", "amount", "1/0*amount"]
    ),
)
SIMPLE = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(),
    st.integers(-2, 5),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.just(dt.date(9999, 12, 31)),
)
KEYS = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, min_size=0, max_size=3)
    ),
    max_leaves=6,
)
EDITS = st.lists(st.tuples(st.integers(0, 99), KEYS, VALUES), min_size=1, max_size=3)


def whole():
    """Return a source's file that uses many keys, as TOML gives it."""
    return {
        "as_of": dt.date(2024, 12, 31),
        "max_set_aside": 1.0,
        "customers": {
            "file": "customers.csv",
            "columns": {
                "region": {"column": "region"},
                "area": {"column": "area", "values": {"urban": ["Stadt"]}},
            },
        },
        "transactions": {
            "file": "transactions.csv",
            "keep": {"product": ["fuel", "gas"]},
            "columns": {"amount": {"column": "amount", "scale": 2.0}},
        },
        "survey": {"file": "survey.csv", "columns": {"satisfaction_1": {"column": "loyalty_1"}}},
    }


def edited(entry, edits):
    """Return a source's file in which values were set at some places."""
    for number, key, value in edits:
        places = [entry]
        for place in places:
            places += [each for each in place.values() if isinstance(each, dict)]
        places[number % len(places)][key] = value
    return entry


@share(0.615)
@given(edits=EDITS)
def test_whatever_its_keys_say_a_source_is_built_or_refused(edits):
    try:
        build(Path("/nowhere/small.toml"), edited(whole(), edits))
    except DataError as error:
        assert str(error).strip()


NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 1e308, 5e-324, 2.5])
WORD = st.sampled_from(["fuel", "North", "a", "", "1", "2024-02-01", "urban", "true"])
ANY_COLUMN = st.sampled_from([*COLUMNS, "nothing"])
SENSIBLE = {
    "decimal": st.sampled_from([",", ".", "-"]),
    "thousands": st.sampled_from([",", ".", " ", ""]),
    "missing": st.lists(WORD, max_size=2),
    "encoding": st.sampled_from(["utf-8", "gb18030", "utf-16", "cp1252", "ascii"]),
    "delimiter": st.sampled_from([",", ";", "whitespace", "a"]),
    "date_format": st.sampled_from(["%d.%m.%Y", "excel", "unix", "unix_ms", "%Y-%m-%d %z", "%%%d"]),
    "timezone": st.sampled_from(["Asia/Shanghai", "UTC"]),
    "skip": st.integers(0, 9),
    "header": st.lists(ANY_COLUMN, min_size=1, max_size=7),
    "file": st.sampled_from(["customers.csv", "transactions.csv", "survey.csv", "."]),
    "files": st.sampled_from(["*.csv", "c*", ["customers.csv"]]),
    "one_row_per": ANY_COLUMN,
    "count": ANY_COLUMN,
    "same_file_as": st.sampled_from(["customers", "transactions"]),
    "keep": st.dictionaries(ANY_COLUMN, st.fixed_dictionaries({"min": NUMBERS}), max_size=1),
    "drop": st.dictionaries(ANY_COLUMN, st.lists(WORD, max_size=2), max_size=1),
    "joins": st.builds(lambda on: [{"file": "customers.csv", "on": on}], ANY_COLUMN),
    "scale_of": st.sampled_from([[0, 1], [1, 7], [-5, 5]]),
    "refunds": st.sampled_from(["net", "leave_out"]),
    "column": ANY_COLUMN,
    "columns": st.lists(ANY_COLUMN, min_size=1, max_size=2),
    "key": st.lists(ANY_COLUMN, min_size=2, max_size=2),
    "value": WORD,
    "row": st.just(True),
    "expression": st.sampled_from(
        ["quantity*amount", "amount/quantity", "-cost", "amount-amount/0.0"]
    ),
    "format": st.sampled_from(["%Y-%m-%d", "excel", "%d/%m/%Y"]),
    "values": st.dictionaries(WORD, st.lists(WORD, max_size=2), max_size=2),
    "default": WORD,
    "scale": NUMBERS,
    "offset": NUMBERS,
    "scales": st.dictionaries(WORD, NUMBERS, max_size=2),
    "scale_by": ANY_COLUMN,
    "reverse": st.just(True),
    "numeric": st.just(True),
    "first": st.just(True),
    "by": st.sampled_from(["most sales", "last", "first", "each"]),
}
FITTING = st.lists(
    st.sampled_from(sorted(SENSIBLE)).flatmap(
        lambda key: st.tuples(st.integers(0, 99), st.just(key), SENSIBLE[key])
    ),
    min_size=1,
    max_size=2,
)


def fitted(entry, edits):
    """Return a source's file in which keys were set where they may stand."""
    tables = [entry[name] for name in ("customers", "transactions", "survey")]
    columns = [each for table in tables for each in table["columns"].values()]
    for number, key, value in edits:
        places = [[entry], tables, columns]
        models = [SourceKeys, TableKeys, ColumnKeys]
        where = [
            each
            for own, model in zip(places, models, strict=True)
            for each in own
            if key in model.model_fields
        ]
        place = where[number % len(where)]
        place[key] = value
        if key in ("columns", "key", "value", "row", "expression") and place in columns:
            place.pop("column", None)
    return entry


@share(0.015)
@given(edits=FITTING)
def test_what_is_built_is_opened_or_refused(write_source, edits):
    path = write_source()
    try:
        found = dataset.open_source(build(path, fitted(whole(), edits)))
        dataset.problems(found)
        dataset.validate(found)
    except DataError as error:
        assert str(error).strip()


@share(0.07)
@given(text=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_bytes_that_are_no_toml_are_refused(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_bytes(b"as_of = 2024-12-31\n" + text)
    with pytest.raises(DataError):
        sources.read(str(path))


def written(frame, ending):
    """Return the bytes of a table as a file."""
    target = io.BytesIO()
    if ending == ".xlsx":
        frame.to_excel(target, index=False)
    else:
        frame.to_parquet(target, index=False)
    return target.getvalue()


FRAME = pd.read_csv(io.StringIO(CUSTOMERS)).assign(
    joined_on=lambda rows: pd.to_datetime(rows["joined_on"]), n=[1.5, None, 3.0]
)
FILES = {
    ".csv": CUSTOMERS.encode(),
    ".xlsx": written(FRAME, ".xlsx"),
    ".parquet": written(FRAME, ".parquet"),
}
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "drop", "put", "twice"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content, damage):
    """Return bytes with damages at some places."""
    for kind, where, new in damage:
        at = int(where * len(content))
        content = {
            "set": content[:at] + new + content[at + len(new) :],
            "cut": content[:at],
            "drop": content[:at] + content[at + len(new) :],
            "put": content[:at] + new + content[at:],
            "twice": content[:at] + content[at // 2 :],
        }[kind]
    return content


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Return a function that reads bytes as a file of an ending."""
    folder = tmp_path_factory.mktemp("bytes")
    engine = engines.embedded([folder])
    empty = build(
        folder / "own.toml",
        {"folder": ".", "customers": {"file": "x.csv"}, "survey": {"file": "x.csv"}},
    )

    def read(content, ending, **how):
        (folder / f"own{ending}").write_bytes(content)
        part = Part((f"own{ending}",), **how)
        source = type(empty)(**{**vars(empty), "tables": {"customers": TableMap((part,))}})
        rows = raw_tables(engine, source, "customers")[0].rows
        try:
            return rows.to_pyarrow()
        except duckdb.Error as error:  # as of a table of a data set
            file = f"own{ending}"
            why = failures.of_table(error, file, folder, [folder / file])
            raise DataError(why) from None

    return read


HOW = {
    ".csv": {
        "encoding": st.sampled_from(["utf-8", "utf-16", "gb18030", "cp1252"]),
        "delimiter": st.sampled_from([",", ";", "whitespace"]),
        "skip": st.integers(0, 3),
    },
    ".xlsx": {"skip": st.integers(0, 3)},
    ".parquet": {},
}


@pytest.mark.parametrize("ending", FILES)
@share(0.1)
@given(data=st.data())
def test_whatever_its_bytes_are_a_file_is_read_or_refused(reader, ending, data):
    how = {key: data.draw(values) for key, values in HOW[ending].items()}
    content = damaged(FILES[ending], data.draw(DAMAGE))
    try:
        reader(content, ending, **how)
    except DataError as error:
        assert str(error).startswith(f"own{ending}")


def test_without_damage_all_is_read(reader):
    assert [reader(content, ending).num_rows for ending, content in FILES.items()] == [3, 3, 3]
