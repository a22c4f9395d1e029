"""`workbook init`: what it guesses of files that nobody has described, and what it says of them."""

import datetime as dt

import pytest
from typer.testing import CliRunner

import messy_layouts
from analysis.data import sources
from analysis.data.dataset import open_source, problems
from analysis.data.errors import DataError
from workbook.cli import app
from workbook.init import source
from workbook.init.values import dates, numbers
from workbook.init.values.synonyms import likeness, meaning, names_of

CUSTOMERS = "客户编号;大区;城乡\n00001;华北;城区\n00002;华北;郊区\n00003;华东;城区\n"
SALES = "会员号;加油时间;升数;单价\n{}"
LINES = "1;{0}/2024 08:30;10;7,5\n2;{0}/2024 09:30;20;7,5\n3;{0}/2024 10:30;30;7,5\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of files in GB 18030, sales of two months apart, and a source of it."""
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "客户档案.csv").write_text(CUSTOMERS, encoding="gb18030")
    for month in ("01", "02"):
        text = "导出时间 2024\n" + SALES.format(LINES.format(f"03/{month}"))
        (folder / f"加油流水_{month}.csv").write_text(text, encoding="gb18030")
    return folder


def opened(written):
    """Return the tables of what was written."""
    return open_source(sources.read(str(written.path)))


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_a_messy_layout_passes_without_an_edit(seed, tmp_path):
    layout = messy_layouts.by_seed(seed)
    looked = messy_layouts.write(layout, tmp_path / "data")
    found = opened(source.write(str(looked), tmp_path / "out.toml"))
    expected = messy_layouts.totals(layout)
    assert problems(found).empty
    rows = {name: int(table.good.count().execute()) for name, table in found.tables.items()}
    assert rows == expected["rows"]
    sales = found.tables["transactions"].good["amount"].sum().execute()
    assert sales == pytest.approx(expected["sales"])
    satisfaction = found.tables["survey"].good["satisfaction_1"].mean().execute()
    assert satisfaction == pytest.approx(expected["satisfaction"])


def test_what_was_seen_stands_behind_each_guess(folder):
    written = source.write(str(folder))
    text = written.path.read_text(encoding="utf-8")
    assert written.path == folder.with_name("ours.toml")
    for words in (
        'encoding = "gb18030"',
        'delimiter = ";"',
        'files = "加油流水_*.csv"',
        "skip = 1",
        'decimal = ","',
        "numeric = true",
        'expression = "`升数` * `单价`"',
        'values = { urban = ["城区"], suburban = ["郊区"] }',
        "all 3 are customers; 00123 and 123 are the same",
        "6 rows in 2 files of one layout",
        "may be day and month or month and day: taken as day, month",
        'calendar = "CN"',
        "as_of = 2024-02-03",
    ):
        assert words in text
    found = opened(written)
    assert problems(found).empty
    assert found.tables["transactions"].good["amount"].sum().execute() == 2 * 450.0
    assert found.source.as_of == dt.date(2024, 2, 3)


def test_the_command_says_what_comes_next_and_overwrites_nothing(folder):
    target = folder.with_name("ours.toml")
    first = CliRunner().invoke(app, ["init", str(folder)])
    assert first.exit_code == 0, first.output
    for words in (
        "customers: 客户档案.csv (3 rows, 3 columns recognised)",
        "transactions.bought_at: ",
        "Next: workbook check ",
    ):
        assert words in first.output
    target.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="the file exists; --force replaces it"):
        source.write(str(folder))
    assert target.read_text(encoding="utf-8") == "mine"
    source.write(str(folder), force=True)
    assert "[customers]" in target.read_text(encoding="utf-8")


def test_customers_without_a_file_are_those_of_the_purchases(tmp_path):
    lines = "".join(f"{i % 4},{'NS'[i % 2]},2024-01-{i + 1:02},{i}.5\n" for i in range(20))
    path = tmp_path / "sales.csv"
    path.write_text(f"Customer,Region,Date,Amount\n{lines}", encoding="utf-8")
    found = opened(source.write(str(path)))
    assert problems(found).empty
    assert found.regions().to_dict("list") == {"region": ["N", "S"], "customers": [2, 2]}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "expected customers and at least one of survey"),
        (lambda folder: (folder / "a.csv").write_text("x,y\n1,2\n"), "a.csv has the columns x, y"),
        (lambda folder: (folder / "a.xlsx").write_bytes(b"PK\3\4"), "a.xlsx: it can't be read"),
    ],
)
def test_data_in_which_nothing_is_recognised_are_refused_in_words(tmp_path, make, words):
    folder = tmp_path / "ours"
    folder.mkdir()
    make(folder)
    with pytest.raises(DataError, match=words):
        source.write(str(folder))
    assert not folder.with_name("ours.toml").exists()


@pytest.mark.parametrize("name", ["none", "ours.pdf"])
def test_what_is_no_data_is_refused(tmp_path, name):
    if name.endswith("pdf"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="expected a folder"):
        source.write(str(tmp_path / name))


@pytest.mark.parametrize(
    ("texts", "formats", "is_ambiguous"),
    [
        (["2024-03-05", "2024-03-05 08:30"], (), False),
        (["05.03.2024", "25.03.2024"], ("%d.%m.%Y",), False),
        (["3/25/2024 8:05", "3/5/2024 9:15"], ("%m/%d/%Y %H:%M",), False),
        (["3/5/2024"], ("%d/%m/%Y",), True),
        (["20240305", "20240306"], ("%Y%m%d",), False),
        (["05-Mar-2024 08:30:00"], ("%d-%b-%Y %H:%M:%S",), False),
        (["2024年3月5日 08:30"], ("%Y年%m月%d日 %H:%M",), False),
        (["45356", "45357"], ("excel",), False),
        (["1709600000"], ("unix",), False),
        (["123", "456"], (), False),
    ],
)
def test_formats_of_dates(texts, formats, is_ambiguous):
    found = dates.guess(texts)
    assert (found.formats, found.is_ambiguous) == (formats, is_ambiguous)
    assert found.share == (0.0 if texts == ["123", "456"] else 1.0)


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands"),
    [
        (["12.5", "1,234.50"], ".", ","),
        (["12,5", "1.234,50 €"], ",", "."),
        (["1,234", "12"], ".", ","),
        (["0,512", "45,120"], ",", ""),
        (["1,234,567"], ".", ","),
        (["¥12.50", "-3"], ".", ""),
    ],
)
def test_marks_of_numbers(texts, decimal, thousands):
    found = numbers.marks(texts)
    assert (found.decimal, found.thousands) == (decimal, thousands)
    assert numbers.share(texts) == 1.0


@pytest.mark.parametrize(
    ("table", "header", "column"),
    [
        ("customers", "KUNDEN_NR", "customer_id"),
        ("customers", "Cust. Group", "segment"),
        ("survey", "Benefit (personal)", "personal_benefit"),
        ("survey", "Zufriedenheit Frage 2", "satisfaction_2"),
        ("survey", "满意度3", "satisfaction_3"),
        ("complaints", "投诉时间", "opened_at"),
        ("transactions", "金额（元）", "amount"),
        ("transactions", "加油时间", "bought_at"),
        ("transactions", "升数", "quantity"),
        ("contacts", "Kontaktiert am", "contacted_on"),
    ],
)
def test_names_of_columns(table, header, column):
    scores = {name: likeness(header, words) for name, words in names_of(table).items()}
    assert max(scores, key=scores.get) == column


def test_words_of_choices():
    assert meaning("vor Ort", "channel") == "on_site"
    assert meaning("郊区", "area") == "suburban"
    assert meaning("非常满意", "answers") == "5"
    assert meaning("Sonntag", "area") is None
