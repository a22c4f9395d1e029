"""`workbook init`: what it guesses of files that nobody has described, and what it says of them."""

import datetime as dt
import os
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import messy_layouts
from analysis.data import sources
from analysis.data.dataset import open_source, problems
from analysis.data.errors import DataError
from workbook.cli import app
from workbook.init import source
from workbook.init.layouts import Layout
from workbook.init.looking import Found, Profile
from workbook.init.values import dates, numbers
from workbook.init.values.ratings import Scale
from workbook.init.values.synonyms import likeness, meaning, names_of
from workbook.init.waves import apart

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


def test_a_file_whose_last_line_has_no_end_is_taken_as_whole_and_named(folder):
    file = folder / "加油流水_02.csv"
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    written = source.write(str(folder))
    text = written.path.read_text(encoding="utf-8")
    assert re.findall("complete = true  .*", text) == [
        f"complete = true{'':31}# CHECK: the last line of {file.name} has no end"
    ]
    said = f"transactions: the last line of {file.name} has no end: complete = true says that"
    assert [each for each in written.unsure if each.startswith(said)]
    found = opened(written)
    assert problems(found).empty
    assert found.tables["transactions"].good["amount"].sum().execute() == 2 * 450.0


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


def test_an_old_excel_file_is_looked_at(tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    lines = Path(__file__).parent / "data" / "files" / "lines.xls"
    (folder / "lines.xls").write_bytes(lines.read_bytes())
    (folder / "c.csv").write_text("customer_id,region\n1,N\n2,N\na,N\n", encoding="utf-8")
    found = opened(source.write(str(folder)))
    assert problems(found).empty
    assert found.tables["transactions"].good["amount"].sum().execute() == 470.5


def test_hours_in_chinese_have_a_format():
    assert dates.guess(["2024/3/5 下午 3:30:00", "2024/3/6 上午 9:05:00"]).formats == (
        "%Y/%m/%d %p %I:%M:%S",
    )


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
        (
            lambda folder: (folder / "a.csv").write_text("x,y\n1,2\n"),
            "a.csv: no table is like it; its columns: x, y",
        ),
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
    assert meaning("非常满意", "answers") == "7"
    assert meaning("Sonntag", "area") is None


PEOPLE = "客户编号,区域\n1,东\n2,东\n3,西\n4,西\n"


@pytest.fixture
def made(tmp_path):
    """A function that writes a folder of files and returns what init made of it, and its text."""

    def make(**files):
        folder = tmp_path / "ours"
        folder.mkdir(exist_ok=True)
        for name, text in ({"客户": PEOPLE} | files).items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        written = source.write(str(folder))
        return written, written.path.read_text(encoding="utf-8")

    return make


def sales(header, lines):
    """Return purchases of four customers, with columns of their own behind customer and date."""
    rows = [f"{i % 4 + 1},2024-03-{i + 1:02},{line}" for i, line in enumerate(lines)]
    return "\n".join([f"客户编号,日期,{header}", *rows]) + "\n"


@pytest.mark.parametrize(
    ("header", "taken", "others"),
    [
        ("应收金额,优惠金额,实收金额", 2, "应收金额, 优惠金额"),
        ("金额,优惠金额,实付金额", 2, "金额, 优惠金额"),
        ("应付金额,让利金额,金额", 2, "应付金额, 让利金额"),
        ("Gross amount,Discount amount,Amount", 2, "Gross amount, Discount amount"),
        ("Amount,Discount amount,Net paid", 2, "Amount"),
        ("Bruttobetrag,Rabattbetrag,Zahlbetrag", 2, "Bruttobetrag, Rabattbetrag"),
        ("Zahlbetrag,Rabattbetrag,Betrag", 0, "Rabattbetrag, Betrag"),
        ("金额,实付积分,运费", 0, "实付积分"),
    ],
)
def test_what_was_paid_is_the_amount_and_its_rivals_are_named(made, header, taken, others):
    lines = [(100 + 7 * i, 3 + i, 97 + 6 * i) for i in range(24)]
    written, text = made(交易=sales(header, [",".join(map(str, each)) for each in lines]))
    name = header.split(",")[taken]
    line = next(each for each in text.splitlines() if each.startswith("amount"))
    assert f'"{name}"' in line.split("#")[0]
    assert f"there are also {others}" in line
    assert any(f"there are also {others}" in each for each in written.unsure)
    found = opened(written).tables["transactions"].good["amount"].sum().execute()
    assert found == pytest.approx(sum(each[taken] for each in lines))


def test_a_price_and_a_discount_leave_what_was_paid(made):
    lines = [f"{i + 10},7.5,{7.5 * (i + 10)},{0.2 * (i + 10)},{7.3 * (i + 10)}" for i in range(24)]
    written, text = made(交易=sales("升数,单价,应收金额,优惠金额,实收金额", lines))
    assert 'amount = "实收金额"' in text
    found = opened(written).tables["transactions"].good["amount"].sum().execute()
    assert found == pytest.approx(7.3 * sum(range(10, 34)))


@pytest.mark.parametrize(
    ("to", "words"),
    [
        (
            "fuel",
            "92#汽油 95号汽油 0#柴油 -10号柴油 国VI92#车用汽油 乙醇汽油E10 98# Benzin E5 E85 B7",
        ),
        (
            "fuel",
            "Super|Super E5|Super E10|Super Plus|Diesel|gasoline|Petrol 95|UL95|Premium Diesel",
        ),
        ("gas", "CNG LNG LPG 天然气 车用天然气 CNG（压缩天然气） 液化石油气 Erdgas Autogas"),
        ("lubricants", "机油 润滑油"),
        (
            None,
            "柴油机油 汽油添加剂 天然气灶 燃油宝 Dieselfilter Motorenöl 尿素 Supermarkt 1042 LNGX",
        ),
    ],
)
def test_words_of_fuel_and_gas(to, words):
    every = words.split("|") if "|" in words else words.split()
    assert {each: meaning(each, "product") for each in every} == dict.fromkeys(every, to)


def test_fuels_are_mapped_and_other_products_are_named(made):
    words = ["92#汽油", "0#柴油", "CNG", "尿素"]
    written, text = made(交易=sales("油品,金额", [f"{words[i % 4]},{10 + i}" for i in range(24)]))
    assert 'values = { fuel = ["0#柴油", "92#汽油"], gas = ["CNG"] }' in text
    assert "CHECK: not known, and left as they are: 尿素" in text
    assert "transactions.product: not known, and left as they are: 尿素" in written.unsure
    good = opened(written).tables["transactions"].good.execute()
    found = good.groupby("product")["amount"].sum()
    assert found.to_dict() == {"fuel": 246.0, "gas": 132.0, "尿素": 138.0}


@pytest.mark.parametrize("end", ["{},,,96,{}", ",合计：,,96,{1}", "{},-,-,96,{}"])
@pytest.mark.parametrize(
    "word", ["合计", "合　计", "4月小计", "Summe", "Total", "Summe Januar", "Gesamt:"]
)
def test_lines_of_totals_are_left_out(made, end, word):
    files = {}
    for month in (1, 2):
        lines = [f"a{month}{i},{i % 4 + 1},2024-{month:02}-{i + 1:02},4,{i}" for i in range(24)]
        lines = ["流水号,客户编号,日期,升数,金额", *lines, end.format(word, 276)]
        files[f"交易_{month}"] = "\n".join(lines) + "\n"
    written, text = made(**files)
    column, own = ("客户编号", "合计：") if end.startswith(",") else ("流水号", word)
    assert tomllib.loads(text)["transactions"]["drop"] == {column: [own]}
    assert "2 lines of totals, without a customer and a date" in text
    found = opened(written)
    assert problems(found).empty
    good = found.tables["transactions"].good
    assert (good.count().execute(), good["amount"].sum().execute()) == (48, 2 * 276.0)


def test_a_station_called_total_is_no_total(made):
    lines = [f"{'Total' if i % 2 else 'Aral'},{10 + i}" for i in range(24)]
    written, text = made(交易=sales("油站,金额", lines))
    assert "drop" not in text
    assert opened(written).tables["transactions"].good["amount"].sum().execute() == 516.0


@pytest.mark.parametrize(("back", "kept"), [("退款", 7), ("失败", 7), ("成功", 8)])
def test_purchases_that_did_not_come_about_are_left_out_beside_totals(made, back, kept):
    lines = [
        f"a{i},{i % 4 + 1},2024-03-{i + 1:02},{back if i == 3 else '成功'},{i}" for i in range(8)
    ]
    head = "流水号,客户编号,日期,交易 状态,金额"
    written, text = made(交易="\n".join([head, *lines, "合计,,,,28"]) + "\n")
    words = {} if back == "成功" else {"交易 状态": [back]}
    assert tomllib.loads(text)["transactions"]["drop"] == {"流水号": ["合计"]} | words
    is_said = "'交易 状态' says that 1 row does not count" in "".join(written.unsure)
    assert is_said == bool(words)
    assert opened(written).tables["transactions"].good.count().execute() == kept


def test_a_refund_with_a_negative_amount_is_netted(made):
    lines = ["成功,20", "成功,30", "退款,-30", "成功,40"]
    written, text = made(交易=sales("状态,金额", lines))
    assert "drop" not in text
    assert "transactions: negative amounts are netted" in "".join(written.unsure)


def test_words_that_are_not_known_and_columns_that_are_not_used_are_named(made):
    words = [("一般", "满意"), ("特急", "基本满意"), ("火急", "天晓得")]
    lines = [f"T{i},{i % 4 + 1},2024-03-0{i + 1},{','.join(words[i % 3])},说{i}" for i in range(9)]
    head = "投诉编号,客户编号,投诉日期,紧急程度,处理结果满意度,投诉 内容"
    written, text = made(投诉="\n".join([head, *lines]) + "\n")
    assert 'severity = { column = "紧急程度", values = { 2 = ["一般"], 5 = ["特急"] } }' in text
    assert 'values = { 3 = ["基本满意"], 4 = ["满意"] }' in text
    for name, word in (("severity", "火急"), ("satisfaction_after", "天晓得")):
        assert f'complaints.{name}: not known (rows): "{word}" (3)' in written.unsure
        assert f'# CHECK: {name}: not known (rows): "{word}" (3): add each to "values"' in text
    assert written.unsure[-1] == "投诉.csv: columns not used: 投诉 内容"
    assert len([each for each in written.unsure if "not used" in each]) == 1


@pytest.mark.parametrize(
    ("words", "steps", "top"),
    [
        ("非常满意 满意 一般 不满意 很不满意", "5 4 3 2 1", 5),
        ("非常满意 满意 基本满意 不满意 很不满意", "5 4 3 2 1", 5),
        ("满意 基本满意 不满意", "4 3 2", 5),
        ("愿意 比较愿意 一般 不太愿意 不愿意", "5 4 3 2 1", 5),
        ("非常同意 同意 比较同意 一般 比较不同意 不同意 非常不同意", "7 6 5 4 3 2 1", 7),
        ("very satisfied|satisfied|neutral|dissatisfied|very dissatisfied", "5 4 3 2 1", 5),
        ("strongly agree|agree|somewhat agree|neutral|disagree", "7 6 5 4 2", 7),
        (
            "trifft zu|trifft eher zu|teils/teils|trifft eher nicht zu|trifft nicht zu",
            "5 4 3 2 1",
            5,
        ),
        ("sehr zufrieden|zufrieden|weniger zufrieden|überhaupt nicht zufrieden", "5 4 2 1", 5),
        ("bestimmt|wahrscheinlich|vielleicht|wahrscheinlich nicht|bestimmt nicht", "5 4 3 2 1", 5),
        ("5分 非常满意|4分 满意|1分 很不满意", "5 4 1", 5),
        ("10分|8分|1分", "10 8 1", 10),
        ("5 stars|4 stars|1 star", "5 4 1", 5),
        ("5/5|2/5", "5 2", 5),
    ],
)
def test_words_of_a_scale_keep_their_order(words, steps, top):
    texts = words.split("|") if "|" in words else words.split()
    column = Profile("x", "x", "text", False, len(texts), len(texts), dict.fromkeys(texts, 1))
    scale = Scale.of([column])
    found = {word: int(to) for to, own in scale.words.items() for word in own}
    assert [found[each] for each in texts] == list(map(int, steps.split()))
    assert (scale.top, scale.strange) == (top, {})


def test_a_format_of_dates_is_not_said_of_a_table_with_iso_dates(made):
    people = "客户编号,区域,注册日期\n" + "".join(f"{i},东,2023年1月{i}日\n" for i in range(1, 5))
    written, text = made(客户=people, 交易=sales("金额", [f"{10 + i}" for i in range(8)]))
    assert text.index("date_format") > text.index("[customers]")
    assert problems(opened(written)).empty


def test_a_shop_s_export_in_english(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    people = "".join(f"{i},x,{('Leeds', 'York')[i % 2]}\n" for i in range(1, 5))
    (folder / "customers.csv").write_text(f"id,last_name,city\n{people}", encoding="utf-8")
    orders = "".join(
        f"{i % 4 + 1},2024-03-{i + 1:02}T10:00:00Z,{100 + i},{i},{20 + i},GBP\n" for i in range(24)
    )
    head = "customer_id,created_at,total_price,total_discounts,total_tax,currency\n"
    (folder / "orders.csv").write_text(head + orders, encoding="utf-8")
    written = source.write(str(folder))
    text = written.path.read_text(encoding="utf-8")
    assert 'timezone = "Europe/London"' in text
    found = opened(written)
    assert found.regions().to_dict("list") == {"region": ["Leeds", "York"], "customers": [2, 2]}
    assert found.tables["transactions"].good["amount"].sum().execute() == 24 * 111.5


def test_a_password_does_not_stand_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "")
    with pytest.raises(DataError) as error:
        source.write("postgresql://me:s3cret@localhost:1/sales", tmp_path / "a.toml")
    assert "s3cret" not in str(error.value)
    assert os.environ["DATABASE_PASSWORD"] == "s3cret"
    _, keys, _ = source._place("postgresql://me:s3cret@host/sales", None)
    assert keys == {"database": "postgresql://me:${DATABASE_PASSWORD}@host/sales"}


@pytest.mark.parametrize("place", ["no/x.toml", ".", "客户档案.csv/x.toml"])
def test_a_place_where_no_file_can_be_is_refused(folder, place):
    with pytest.raises(DataError, match="no file can be there"):
        source.write(str(folder), folder / place, force=True)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3c@ret/x@localhost:1/sales",
        "postgresql://localhost:1/sales?user=me&password=s3c%40ret",
        "mysql://:s3c:ret@localhost:1",
        "postgresql//me:s3cret@host/sales",
        "postgresql:/me:s3:cret@host/sales",
        "host=localhost user=me password=s3cret",
        "mysql:///x?PWD=s3cret",
    ],
)
def test_no_message_and_no_file_has_a_password(tmp_path, monkeypatch, address):
    monkeypatch.setenv("DATABASE_PASSWORD", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        source.write(address)
    said = [str(error.value)]
    if "://" in address:
        path, keys, _ = source._place(address, None)
        said += [path.name, *keys.values()]
    assert not [each for each in said if "s3c" in each or "ret" in each.replace("secret", "")]


def test_a_database_without_tables_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "")
    monkeypatch.setattr(source.looking, "look", lambda empty: ([], {}))
    with pytest.raises(DataError, match=r"me:\$\{DATABASE_PASSWORD\}@h/x: expected customers"):
        source.write("postgresql://me:s3cret@h/x")


def test_a_column_of_several_lines_ends_no_comment(folder):
    path = folder / "客户档案.csv"
    lines = path.read_text(encoding="gb18030").replace("城乡", '城乡;"a\n[survey]\nfile = 1"')
    path.write_text(lines.replace("区\n", "区;x\n"), encoding="gb18030")
    written = source.write(str(folder))
    keys = tomllib.loads(written.path.read_text(encoding="utf-8"))
    assert "survey" not in keys
    assert opened(written).regions()["customers"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", b"\x1f\x8b\x08\0" + b"x" * 99),
        ("a.csv.zst", b"\x28\xb5\x2f\xfd" + b"x" * 99),
        ("a.csv", b'a,b\n"' + b"x" * 300_000),
        ("a.csv", b"a,b\n\0\0,\0\n" * 9),
        ("a.xlsx", b"PK\x03\x04" + b"x" * 99),
        ("a.parquet", b"PAR1" + b"x" * 99),
        ("a.jsonl", b"{" * 9999),
        ("a.xls", b"\xd0\xcf\x11\xe0" + b"x" * 99),
    ],
)
def test_a_damaged_file_among_others_is_passed_over(folder, name, content):
    (folder / name).write_bytes(content)
    assert [each for each in source.write(str(folder)).passed if each.startswith(name)]


def test_a_wide_survey_is_a_part_for_each_wave(made):
    head = "Respondent,Region,Satisfaction 2022,Loyalty 2022,Satisfaction 2023,Loyalty 2023"
    lines = [f"r{i},{'NS'[i % 2]},{i % 5 + 1},5,{(i + 1) % 5 + 1},4" for i in range(10)]
    written, _ = made(客户=PEOPLE.replace("客户编号", "a"), panel="\n".join([head, *lines]) + "\n")
    found = opened(written)
    assert problems(found).empty
    assert found.regions()["customers"].tolist() == [5, 5]
    survey = found.tables["survey"].good.execute()
    assert survey["answered_on"].dt.year.value_counts().to_dict() == {2022: 10, 2023: 10}
    assert survey.groupby(survey["answered_on"].dt.year)["loyalty_1"].first().tolist() == [10, 7.75]
    assert "survey.answered_on: on which day in 2022?" in written.unsure


@pytest.mark.parametrize(
    ("header", "waves"),
    [
        ("Loyalität 1,Loyalität 2,Zufriedenheit 1,Zufriedenheit 2", [""]),
        ("satisfaction_1,satisfaction_2,loyalty_1", [""]),
        ("W1 Loyalty,W2 Loyalty", ["1", "2"]),
        ("2023年满意度,2024年满意度,2023年忠诚度", ["2023", "2024"]),
        ("Umsatz 2023,Umsatz 2024,Zufriedenheit", [""]),
    ],
)
def test_columns_of_waves_are_told_from_several_questions(header, waves):
    columns = {name: Profile(name, name, "number", False, 9, 5, {}) for name in header.split(",")}
    found = Found(("a.csv",), Layout(), columns, 9, None)
    assert [each.wave for each in apart(found)] == waves


def test_a_questionnaire_alone_has_a_customer_in_each_row(tmp_path):
    rows = "".join(f"{i % 5 + 1},{i % 4 + 1},{i % 3 + 1},2024-03-01\n" for i in range(12))
    path = tmp_path / "survey.csv"
    path.write_text("Satisfaction,Loyalty,Waiting,Submitted\n" + rows, encoding="utf-8")
    found = opened(source.write(str(path)))
    assert problems(found).empty
    assert found.regions().to_dict("list") == {"region": ["survey"], "customers": [12]}
    assert found.tables["survey"].good.count().execute() == 12


def test_folders_of_partitions_in_each_other_are_one_table(made, tmp_path):
    rows = pd.DataFrame({"客户编号": [1, 2, 3, 4], "日期": pd.Timestamp("2024-03-01"), "金额": 5.0})
    for month in ("01", "02"):
        place = tmp_path / "ours" / "sales" / "year=2024" / f"month={month}"
        place.mkdir(parents=True)
        rows.to_parquet(place / "part.parquet")
    written, text = made()
    assert 'file = "sales/"' in text
    assert opened(written).tables["transactions"].good["amount"].sum().execute() == 40.0


def test_a_sum_that_stands_behind_its_minus_is_negative():
    texts = ["1.234,50-", "- 3,25", "-7", "12,00 €"]
    marks = numbers.marks(texts)
    assert numbers.values(texts, marks) == [-1234.5, -3.25, -7.0, 12.0]
    assert numbers.share(["27.04.2026", "12:30", "2024-03-05"]) == 0.0
