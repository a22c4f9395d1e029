"""What a finding came from: fingerprints change with it, and with nothing else."""

import io

import duckdb
import pandas as pd
import pytest

from analysis.data import dataset, sources
from tables import CUSTOMERS, TRANSACTIONS
from workbook.running import contents, fingerprints


@pytest.fixture
def prints(write_source):
    """Return a function that writes a small source and returns the regions' fingerprints."""

    def write(toml="", as_of="", **files):
        source = sources.read(str(write_source(toml, **files)))
        return contents.regions(dataset.open_source(source), as_of)

    return write


def test_the_order_of_rows_does_not_matter(prints):
    head, *rows = TRANSACTIONS.strip().split("\n")
    assert prints(transactions="\n".join([head, *rows[::-1]]) + "\n") == prints()


def test_the_order_of_answers_matters_where_the_later_one_counts(prints):
    """Of two equally complete answers of one day the last in the file counts."""
    head, first, second = (
        "customer_id,answered_on,loyalty_1\n",
        "a,2024-03-01,4\n",
        "a,2024-03-01,9\n",
    )
    other = "a,2024-03-02,9\n"
    assert prints(survey=head + first + second) != prints(survey=head + second + first)
    assert prints(survey=head + first + other) == prints(survey=head + other + first)


def test_one_region_s_data_changes_its_own_fingerprint_only(prints):
    before = prints()
    later = TRANSACTIONS.replace("c,2024-04-01", "c,2024-04-02")
    after = prints(transactions=later)
    assert before["North"] == after["North"]
    assert before["South"] != after["South"]


@pytest.mark.parametrize(
    ("old", "new"), [("S1,fuel,40", "S1,fuel,41"), ("300,270", "300,271"), ("S1,shop", "S2,shop")]
)
def test_every_value_counts(prints, old, new):
    assert prints()["North"] != prints(transactions=TRANSACTIONS.replace(old, new))["North"]


def test_two_values_that_change_places_are_seen(prints):
    swapped = TRANSACTIONS.replace("40,300,270", "XX").replace("30,225,200", "40,300,270")
    swapped = swapped.replace("XX", "30,225,200")
    assert prints()["North"] != prints(transactions=swapped)["North"]


def test_a_row_that_stands_twice_is_seen(prints):
    twice = TRANSACTIONS + "c,2024-04-01 09:00,S3,gas,100,400,350\n"
    assert prints()["South"] != prints(transactions=twice)["South"]


def test_a_row_without_a_region_concerns_all(prints):
    before, after = prints(), prints(customers=CUSTOMERS + "d,,private,urban,2024-01-05,\n")
    assert all(before[region] != after[region] for region in before)


def test_what_the_source_says_of_itself_counts(prints):
    assert prints()["North"] != prints('currency = "EUR"\n')["North"]


def test_another_last_day_is_other_data(prints):
    assert prints()["North"] != prints(as_of="2024-06-30")["North"]


def test_the_place_of_a_file_is_not_its_content(prints, tmp_path):
    before = prints()
    (tmp_path / "small" / "customers.csv").touch()
    assert prints() == before


def test_rows_of_a_database_are_told_apart_whatever_their_order(tmp_path):
    changed = TRANSACTIONS.replace("400,350", "401,350")
    header, *rows = TRANSACTIONS.splitlines()
    turned = "\n".join([header, *reversed(rows)]) + "\n"
    first, again, other = (
        contents.regions(dataset.open_source(_in_database(tmp_path / str(i), text)))
        for i, text in enumerate((TRANSACTIONS, turned, changed))
    )
    assert first == again
    assert [name for name in first if first[name] != other[name]] == ["South"]


def test_the_module_s_fingerprint_is_the_same_twice_and_not_the_register_s(tmp_path):
    assert fingerprints.module() == fingerprints.module()
    assert len(fingerprints.module()) == fingerprints.LENGTH
    one, two = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    one.write_text("{}"), two.write_text("{ }")
    assert fingerprints.notebook(one) != fingerprints.notebook(two)


def _in_database(folder, transactions):
    """Put the small tables into a DuckDB file."""
    folder.mkdir()
    path = folder / "small.duckdb"
    with duckdb.connect(str(path)) as database:
        for name, text in {"customers": CUSTOMERS, "transactions": transactions}.items():
            frame = pd.read_csv(io.StringIO(text))
            database.execute(f"create table {name} as select * from frame")
            assert len(frame)
    toml = folder / "base.toml"
    tables = "".join(f'[{name}]\nfile = "{name}"\n' for name in ("customers", "transactions"))
    toml.write_text(f'database = "small.duckdb"\nas_of = 2024-12-31\n{tables}')
    return sources.read(str(toml))
