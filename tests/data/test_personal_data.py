"""What may hold personal data is described by its shape: in examples, messages and small groups."""

import pytest

from analysis.data import dataset
from analysis.data.contract import TABLES
from analysis.data.errors import DataError
from analysis.data.region import of_validated
from analysis.data.validation import shown
from tables import CUSTOMERS, NAME, TEXTS, opened, planted

SHAPE = "Xxxxx Xxxxxxxxxx-Xxxxxxx (24 characters)"


def source(write_source, **changes):
    """Write a source with all tables."""
    toml = "as_of = 2024-12-31\nmax_set_aside = 1.0\n"
    toml += "".join(f"[{name}]\nfile = '{name}.csv'\n" for name in ("complaints", "contacts"))
    return write_source(toml, **TEXTS | changes)


@pytest.mark.parametrize(
    "value", [NAME, "0171 2345678", "1979-03-04", "a@b.de", "王小明", "\x1b[2J"]
)
@pytest.mark.parametrize("kind", ["text", "number", "moment"])
def test_a_value_is_shown_as_its_shape(value, kind):
    said = shown.described(value, kind)
    assert value not in said
    assert f"({len(value)} characters)" in said
    assert said.isprintable()


def test_only_a_short_number_in_a_column_of_numbers_is_shown():
    assert shown.described("-11.5", "number") == "'-11.5'"
    assert shown.described("4111111111111111", "number") == "9999999999999999 (16 characters)"
    assert shown.described("11", "moment") == "99 (2 characters)"
    assert shown.described(NAME) == SHAPE


def test_a_name_planted_everywhere_is_said_nowhere(write_source):
    path = source(write_source, **{name: planted(text) for name, text in TEXTS.items()})
    data = opened(path)
    known = dataset.problems(data)
    broken = {(row.table, row.column) for row in known.itertuples()}
    expected = {
        (name, column)
        for name, text in TEXTS.items()
        for column in text.partition("\n")[0].split(",")
        if TABLES[name].columns[column].kind != "text" or TABLES[name].columns[column].rule
    } - {("customers", "region")}  # which a name may be
    assert expected <= broken
    whole = dataset.validate(data)
    said = [known.to_csv(), data.traits().to_csv(), whole.rejected.drop(columns="region").to_csv()]
    assert SHAPE in said[0]
    assert not [text for text in said if "Erika" in text or "Mustermann" in text]
    assert NAME in dataset.problems(data, shows_values=True).to_csv()


def test_a_region_is_stopped_with_the_row_and_the_shape(write_source):
    path = source(write_source, customers=CUSTOMERS.replace("2023-11-01", NAME))
    path.write_text(path.read_text().replace("max_set_aside = 1.0", "max_set_aside = 0.1"))
    with pytest.raises(DataError) as error:
        of_validated(dataset.validate(opened(path)), "North")
    assert f"joined_on (row 3: {SHAPE};" in str(error.value)


def test_a_file_without_a_header_does_not_show_its_first_customer(write_source):
    rows = CUSTOMERS.partition("\n")[2].replace("van", NAME)
    with pytest.raises(DataError, match="Its first row looks like data") as error:
        opened(source(write_source, customers=rows))
    assert "North" not in str(error.value)
    with pytest.raises(DataError) as error:
        opened(source(write_source, customers=rows.replace(",", ";")))
    assert "North" not in str(error.value)


@pytest.mark.parametrize("text", ["Erika,Mustermann,North\n", "Erika;North\n", "Erika\n"])
def test_a_header_that_may_be_the_first_customer_is_not_shown(write_source, text):
    with pytest.raises(DataError, match=r"may be data|one column, which holds ';'") as error:
        opened(source(write_source, customers=text + text.replace("Erika", "Hans")))
    assert "Erika" not in str(error.value)


def test_a_header_above_numbers_or_dates_is_shown(write_source):
    rows = CUSTOMERS.replace("customer_id", "Kundennummer")
    with pytest.raises(DataError, match="There are: Kundennummer, region, segment"):
        opened(source(write_source, customers=rows))


def test_a_value_outside_a_range_of_keep_is_described(write_source):
    toml = (
        "as_of = 2024-12-31\n[customers]\nfile = 'customers.csv'\nkeep = { area = { min = 1 } }\n"
    )
    with pytest.raises(DataError, match=r"row 2: xxxxx \(5 characters\) in 'area'"):
        opened(write_source(toml))


@pytest.mark.parametrize(
    ("message", "kind", "said"),
    [
        (f"could not convert '{NAME}'", "ValueError", f"could not convert {SHAPE}"),
        (f"it's\nOriginal Line: {NAME}", "ValueError", "it's"),
        ("['customer_id'] not in index", "KeyError", "['customer_id'] not in index"),
        ("no attribute 'x'", "AttributeError", "no attribute 'x'"),
        (f"Conversion Error: date {NAME}", "ConversionException", "Conversion Error"),
        (f"Could not convert {NAME}", "ArrowInvalid", ""),
    ],
)
def test_an_error_of_a_library_is_repeated_without_values(message, kind, said):
    assert shown.without_values(message, kind) == said
