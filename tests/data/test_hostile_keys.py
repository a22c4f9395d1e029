"""Keys of a source's TOML file that mean nothing where they stand, or more than can be read."""

import duckdb
import ibis
import pytest

from analysis.data import dataset, sources
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.files import is_name
from analysis.data.mapping.schema import build
from tables import CUSTOMERS, opened

AMOUNT = "[transactions]\nfile = 'transactions.csv'\n[transactions.columns]\namount = {}\n"
AREA = "[customers]\nfile = 'customers.csv'\n[customers.columns]\narea = {}\n"
OF_SOURCE = {
    "statement_timeout = 5": "'statement_timeout' has no effect here: it is for PostgreSQL and",
    "database = ''": "database = '': expected a text that is not empty",
    "thousands = '-'": "thousands = '-': expected one character that is no letter, digit, sign",
    'thousands = "\\n"': "no letter, digit, sign, quote or end of a line",
    "decimal = '+'": "no letter, digit, sign, quote or end of a line",
    "delimiter = '\"'": "expected one character that is no quote and no end of a line",
    'title = "a\\u0000"': "title: a text holds a character of no text (NUL)",
    "title = " + "{a=" * 3000 + "1" + "}" * 3000: "stand in each other too deeply",
    "max_set_aside = " + "9" * 5000: "not a TOML file in UTF-8",
}
OF_TABLES = {
    "[transactions]\nfile = ''\n": "[transactions] file = '': expected a text that is not empty",
    "[transactions]\nfile = 't.csv'\nheader = []\n": "header = []: expected a list of at least 1",
    "[transactions]\nfiles = ['']\n": "[transactions] files = '': expected a text that is not",
    AMOUNT.format("1"): "[transactions.columns] amount = 1: expected a table",
    AMOUNT.format("''"): "[transactions.columns] amount: column = '': expected a text that is not",
    "[transactions]\nfile = 'transactions.csv'\nsheet = 'X'\n": "'sheet' has no effect here",
    "[transactions]\nfile = 'transactions.csv'\nschema_name = 'X'\n": "'schema_name' has no effect",
    "[transactions]\nfile = 't.parquet'\nskip = 1\n": "'skip' has no effect here: it is for text",
    "[transactions]\nfile = 't.jsonl'\nencoding = 'utf-16'\n": "'encoding' has no effect here",
    "[transactions]\nfile = 't.csv'\njoins = [{ file = 'u.csv', on = 'a', sheet = 'b' }]\n": (
        "joins: 'sheet' has no effect here: it is for Excel"
    ),
    AMOUNT.format("{ column = 'amount', scale_by = 'product', scales = {} }"): "'scales' is empty",
    AMOUNT.format("{ column = 'amount', scale = 1e308 }"): "scale = 1e+308: expected a finite",
    AMOUNT.format("{ column = 'amount', offset = -1e308 }"): "offset = -1e+308: expected a finite",
    AMOUNT.format("{ column = 'amount', values = { 1" + "0" * 400 + " = 'a' } }"): "is no number",
    AREA.format("{ value = 'urban', values = { urban = 'a' } }"): "'values' has no effect beside",
    AREA.format("{ value = 'urban', missing = 'a' }"): "'missing' has no effect beside 'value'",
    AREA.format("{ column = 'area', values = {} }"): "'values' names no word of the file",
    "[transactions]\nfile = 't.csv'\ndrop = { amount = [] }\n": "drop: amount: expected at least",
    AREA.format("{ column = 'area', values = { urban = [] } }"): "'values' names no word",
    AREA.format("{ column = 'area', values = { urban = 'a' }, default = '' }"): "'default' is empt",
}


@pytest.mark.parametrize(("toml", "said"), [*OF_SOURCE.items(), *OF_TABLES.items()])
def test_a_key_that_means_nothing_or_too_much_is_refused(write_source, toml, said):
    with pytest.raises(DataError) as error:
        sources.read(str(write_source(toml)))
    assert said in str(error.value)
    assert str(error.value).startswith("small.toml: ")


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 300 + ".csv", "a*" * 300])
@pytest.mark.parametrize("key", ["file", "files"])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(write_source, key, name):
    data = opened(write_source(f"[transactions]\n{key} = '{name}'\n"))
    assert name[:200] in data.problems["transactions"]


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".toml", "a\0.toml"])
def test_a_source_that_no_file_can_be_is_one_that_is_not_there(name):
    with pytest.raises(DataError, match="No source "):
        sources.read(name)


def test_a_folder_of_no_possible_name_holds_no_file(write_source):
    path = write_source(f"folder = '{'x' * 5000}'\n")
    with pytest.raises(DataError, match=r"customers\.csv: no such file"):
        dataset.open_source(sources.read(str(path)))


@pytest.mark.parametrize("name", ["N\x1b[2J", "\x07N", "N\x85", "N\u202eabc", "\u2066N", "N\u2028"])
def test_a_region_s_name_controls_no_terminal_and_turns_no_text(write_source, name):
    path = write_source(customers=CUSTOMERS.replace("North", name))
    found = dataset.problems(opened(path)).query("column == 'region'")
    assert found["rows"].tolist() == [2]
    assert "and no character that controls a terminal" in found["expected"].item()


def write_database(path, *queries):
    """Make the database of a source out of its CSV files."""
    with duckdb.connect(str(path.parent / "own.duckdb")) as own:
        for name in ("customers", "transactions", "survey"):
            text = path.parent / "small" / f"{name}.csv"
            own.sql(f"create table {name} as from read_csv('{text}', all_varchar = true)")
        for query in queries:
            own.sql(query)
    path.write_text(path.read_text().replace('.csv"', '"'))
    return path


@pytest.mark.parametrize(
    "address",
    ["me:{}@[::1/x", "me:[{}]@localhost/x", "me:{}/@localhost/x", "me:a@localhost:{}/x"],
)
def test_an_address_that_is_none_is_refused_without_its_secret(write_source, address, monkeypatch):
    monkeypatch.setenv("OUR_PASSWORD", "s3cret")
    own = address.format("${OUR_PASSWORD}")
    path = write_source("database = 'ADDRESS'\n")
    path.write_text(path.read_text().replace("ADDRESS", f"postgresql://{own}"))
    with pytest.raises(DataError) as error:
        sources.read(str(path))
    assert str(error.value).startswith("small.toml: database: expected an address such as 'postg")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("statement_timeout = 1", "'statement_timeout' has no effect here"),
        ("folder = 'x'", "'folder' has no effect here: it is for files"),
        ("delimiter = ';'", "'delimiter' has no effect here: it is for text files"),
    ],
)
def test_a_key_of_files_or_of_a_server_is_refused_for_a_database_file(write_source, key, said):
    path = write_database(write_source(f"database = 'own.duckdb'\n{key}\n"))
    with pytest.raises(DataError, match=said):
        sources.read(str(path))


@pytest.mark.parametrize("address", ["DuckDB://own.duckdb", "md x://h"])
def test_a_scheme_that_the_environment_brings_is_checked_and_not_shown(
    write_source, address, monkeypatch
):
    monkeypatch.setenv("OUR_DATABASE", address)
    path = write_source("database = '${OUR_DATABASE}'\n")
    with pytest.raises(DataError) as error:
        sources.read(str(path))
    assert "database = '${OUR_DATABASE}': expected before ://" in str(error.value)
    assert address not in str(error.value)


NAMES = [
    "a$b$",
    "a\x1b[2J",
    "-r",
    ".",
    "\u202ea",
    "a\udcff",
    "x" * 240,
    "a:b",
    "a\nb",
    "ourselves~",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_source_whose_name_can_t_be_that_of_a_folder_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="the name of this file becomes that of a folder"):
        build(tmp_path / f"{name}.toml", {})


def test_names_of_sources_and_of_regions_keep_the_same_rule():
    """Of a name up to 60 characters long."""
    names = [*NAMES[:5], *NAMES[7:], "华北 2024", "North [red]x", "a.b", "x" * 60, "", "a\u2028b"]
    own = ibis.memtable({"name": names})
    broken = TABLES["customers"].columns["region"].rule.broken(own["name"])
    known = own.mutate(good=~broken).to_pandas().set_index("name")["good"]
    assert {name: is_name(name) for name in names} == known.to_dict()


VIEW = "create view customers as select * replace ({}) from raw"


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ("cast(segment as date) as joined_on", "a value does not fit the type of its column, or"),
        ("error('Erika Mustermann') as region", "a value does not fit the type of its column, or"),
    ],
)
def test_what_an_engine_says_of_a_value_is_not_shown(write_source, replaced, said):
    path = write_source("database = 'own.duckdb'\n", customers=CUSTOMERS.replace("van", "Erika"))
    queries = ("alter table customers rename to raw", VIEW.format(replaced))
    with pytest.raises(DataError) as error:
        opened(write_database(path, *queries))
    assert said in str(error.value)
    assert "Erika" not in str(error.value)


def test_a_view_of_what_is_gone_is_named(write_source):
    path = write_source("database = 'own.duckdb'\n")
    gone = ("create table raw as from customers", "drop table customers")
    write_database(path, *gone, "create view customers as from raw", "drop table raw")
    with pytest.raises(DataError, match="'customers' is a view that does not work"):
        opened(path)
