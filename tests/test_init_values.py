"""`workbook init`: what it makes of columns by their values, and of customers who are none."""

import tomllib

import pytest

from analysis.data import sources
from analysis.data.dataset import open_source, problems
from workbook.init import source
from workbook.init.looking import Profile
from workbook.init.values.ratings import Scale
from workbook.init.values.synonyms import likeness, names_of

SALES = "Member ID,Date,Total\n1,2024-03-01,10\n2,2024-03-02,20\n3,2024-03-03,40\n"


@pytest.fixture
def made(tmp_path):
    """A function that writes a folder of files and returns what init made of it, and its tables."""

    def make(**files):
        folder = tmp_path / "ours"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        written = source.write(str(folder))
        keys = tomllib.loads(written.path.read_text(encoding="utf-8"))
        return written, keys, open_source(sources.read(str(written.path)))

    return make


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("城区", "郊区", "城区"), ["urban", "suburban", "urban"]),
        (("Innenstadt", "Umland", "Stadtrand"), ["urban", "suburban", "suburban"]),
        (("城区", "郊区", "开发区"), None),  # a word that is not known: no guess
        (("城区", "城区", "城区"), None),  # one word tells nothing
    ],
)
def test_an_area_is_known_by_its_values_whatever_its_column_is_called(made, words, found):
    people = "Member ID,State,Z9\n" + "".join(
        f"{i},Ohio,{word}\n" for i, word in enumerate(words, 1)
    )
    written, keys, dataset = made(members=people, transactions=SALES)
    assert ("area" in keys["customers"]["columns"]) == (found is not None)
    assert ("customers.area: a guess by the values of 'Z9'" in written.unsure) == bool(found)
    if found:
        rows = dataset.tables["customers"].good.order_by("customer_id").execute()
        assert rows["area"].tolist() == found


def test_a_channel_is_known_by_its_values(made):
    words = ["Web", "Phone", "In store"]
    cases = "Case Number,Member ID,Created,Came by\n" + "".join(
        f"C{i},{i},2024-03-0{i},{word}\n" for i, word in enumerate(words, 1)
    )
    people = "Member ID,State\n1,Ohio\n2,Ohio\n3,Texas\n"
    written, _, dataset = made(members=people, cases=cases, transactions=SALES)
    assert "complaints.channel: a guess by the values of 'Came by'" in written.unsure
    rows = dataset.tables["complaints"].good.order_by("complaint_id").execute()
    assert rows["complaint_id"].tolist() == ["C1", "C2", "C3"]
    assert rows["channel"].tolist() == words


@pytest.mark.parametrize(
    ("header", "word", "left"),
    [
        ("First Name", "TEST", 2),
        ("Member Type", "Test account", 2),
        ("客户姓名", "测试", 2),
        ("First Name", "Testa", 3),  # a name
        ("Member Type", "tested", 3),
    ],
)
def test_test_customers_are_left_out_and_said(made, header, word, left):
    people = f"Member ID,State,{header}\n1,Ohio,a\n2,Ohio,b\n3,Ohio,{word}\n"
    written, keys, dataset = made(members=people, transactions=SALES)
    said = f"customers: {header!r} says that 1 row does not count: drop leaves them out"
    assert (said in written.unsure) == (left == 2)
    assert keys["customers"].get("drop") == ({header: [word]} if left == 2 else None)
    assert dataset.regions()["customers"].tolist() == [left]
    assert dataset.tables["transactions"].good["amount"].sum().execute() == (
        30 if left == 2 else 70
    )


def test_a_sign_for_number_and_prices_without_cents(made):
    people = "Member #;State\n" + "".join(f"{i};Ohio\n" for i in range(1, 5))
    amounts = ["99,-", "(7,50)", "1.250,-- €", "7,50"]
    rows = [f"{i};2024-03-0{i};{each}" for i, each in enumerate(amounts, 1)]
    written, keys, dataset = made(
        members=people, sales="\n".join(["Member #;Date;Total", *rows, "2;2024-03-01;7,5\n"])
    )
    assert keys["customers"]["columns"]["customer_id"] == "Member #"
    assert problems(dataset).empty
    good = dataset.tables["transactions"].good.execute()
    assert sorted(good["amount"]) == [7.5, 7.5, 99, 1250]
    assert "transactions: negative amounts are netted against their purchase (refunds = 'net')" in (
        written.unsure
    )


def test_files_that_put_day_and_month_in_two_orders_are_told(made):
    days = {"sales_1": "{0}/01/2024", "sales_2": "01/{0}/2024"}
    files = {
        name: "Member ID,Date,Total\n" + "".join(f"1,{day.format(i)},{i}\n" for i in range(10, 29))
        for name, day in days.items()
    }
    written, _, _ = made(members="Member ID,State\n1,Ohio\n2,Ohio\n", **files)
    (said,) = [each for each in written.unsure if each.startswith("transactions.bought_at")]
    assert "of the values are no such dates, as '" in said


def test_a_test_customer_whom_two_columns_tell_is_counted_once(made):
    people = "Member ID,State,First Name,Member Type\n1,Ohio,Test,Test account\n2,Ohio,b,x\n"
    written, _, dataset = made(members=people + "3,Ohio,test,x\n", transactions=SALES)
    said = "customers: 'First Name' and 'Member Type' say that 2 rows do not count: drop leaves"
    assert [each for each in written.unsure if each.startswith(said)]
    assert dataset.regions()["customers"].tolist() == [1]
    assert dataset.tables["transactions"].good["amount"].sum().execute() == 20
    assert problems(dataset).empty


@pytest.mark.parametrize(
    ("table", "header", "column"),
    [
        ("customers", "Enroll Date", "joined_on"),
        ("complaints", "Case Number", "complaint_id"),
        ("complaints", "CSAT (1-5)", "satisfaction_after"),
        ("complaints", "回访评价", "satisfaction_after"),
        ("survey", "Preis wichtig", "price_sensitivity"),
    ],
)
def test_names_of_columns_in_exports(table, header, column):
    scores = {name: likeness(header, words) for name, words in names_of(table).items()}
    assert max(scores, key=scores.get) == column


@pytest.mark.parametrize(
    ("counts", "found", "stray"),
    [
        ({"7": 40, "8": 40, "10": 60, "11": 1}, None, 1),
        ({"4": 90, "5": 60, "55": 2}, [1, 5], 2),
        ({"4": 90, "5": 60, "6": 1}, [1, 5], 1),
        ({"1": 90, "4": 30, "5": 9, "6": 2, "7": 1}, [1, 7], 0),  # a tail is no error
        ({"40": 40, "90": 60, "100": 20, "10": 30}, [0, 100], 0),
        ({"9": 30, "10": 60, "11": 9}, [0, 100], 0),
        ({"5": 20, "6": 1}, [1, 7], 0),  # too few answers to call one an error
    ],
)
def test_a_few_answers_past_the_end_of_a_scale_are_errors(counts, found, stray):
    n = sum(counts.values())
    scale = Scale.of([Profile("x", "x", "number", False, n, len(counts), counts)])
    assert (scale.range, scale.stray) == (found, stray)
    assert ("taken for errors" in scale.unsure) == bool(stray)
