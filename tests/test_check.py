"""`workbook check`: suspicions, regions that would be stopped, claims and what they lack."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from analysis.claims.hypotheses import register
from analysis.data import dataset, sources
from analysis.data.errors import DataError
from analysis.data.mapping import reference
from analysis.data.suspicions.source import suspicions
from tables import CUSTOMERS, TRANSACTIONS, opened
from workbook.checking import claims, report
from workbook.checking.scales import other_scales

END = "as_of = 2024-06-01\n"


def lines(n, seed=1, **columns):
    """Return purchase lines of three customers as CSV."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "customer_id": rng.choice(["a", "b", "c"], n),
            "bought_at": [
                (dt.datetime(2024, 4, 1) + dt.timedelta(minutes=int(each))).isoformat(" ")
                for each in rng.integers(0, 40_000, n)
            ],
            "quantity": rng.uniform(5, 80, n).round(2),
        }
    )
    amounts = {"amount": (frame["quantity"] * 7.5).round(2)}
    return frame.assign(**amounts | columns).to_csv(index=False)


def shown(path):
    """Return whether all is whole, and what the check prints."""
    text = io.StringIO()
    console = Console(file=text, width=200)
    return report.check(opened(path), console), text.getvalue()


@pytest.mark.parametrize("least", ["", "a,2024-04-30,0,0\n"])
def test_nothing_is_suspected_of_an_ordinary_source(write_source, least):
    path = write_source(END, transactions=lines(200) + least)
    assert suspicions(opened(path)) == []


SUSPECTS = {
    "text under a wrong encoding": (
        {"customers": CUSTOMERS.replace("private", "å¤§å®¢æˆ·".replace("å¤", "Ã¤"))},
        "customers.csv: 2 values of 'segment' may be text under a wrong encoding",
    ),
    "a replacement character": (
        {"customers": CUSTOMERS.replace("van", "v\ufffdn")},
        "customers.csv: 1 value of 'segment' may be text under a wrong encoding",
    ),
    "costs of 0": (
        {"transactions": lines(200, cost=0)},
        "transactions.csv: 200 of 200 costs are 0 beside an amount, which is taken as not known",
    ),
    "prices of a unit": (
        {"transactions": lines(200, amount=np.random.default_rng(3).normal(7.5, 0.1, 200))},
        "transactions.csv: amounts do not grow with quantities",
    ),
    "totals of a file": (
        {"transactions": lines(200) + ",2024-04-30,9000,67500\n"},
        "transactions.csv: 1 line without a customer, together ",
    ),
    "no product that is fuel": (
        {"transactions": lines(200, product=["92#汽油", "0#柴油"] * 100)},
        "which claims on fuel look for; there are '0#柴油', '92#汽油'",
    ),
    "a file loaded twice": (
        {"transactions": lines(200) + lines(200).split("\n", 1)[1]},
        "transactions.csv: 200 of 400 rows are equal in all columns to another one",
    ),
    "a station loaded twice": (
        {
            "transactions": lines(300, station_id=["S1", "S2", "S3", "S4"] * 75)
            + "".join(lines(300, station_id=["S1", "S2", "S3", "S4"] * 75).splitlines(True)[1::4])
        },
        "transactions.csv: 75 of 150 rows of one station are equal in all columns to another one",
    ),
    "a telephone number for an amount": (
        {"transactions": lines(200) + "a,2024-04-30,20,13912345678\n"},
        "1 value of 'amount' (the first: row 202) may be a telephone number or a code",
    ),
    "a word for nobody": (
        {"transactions": lines(200) + "GUEST,2024-04-02,1,7.5\n" * 40},
        "40 rows are of one customer whom [customers] does not have (the first: row 202): if this",
    ),
    "identifiers with zeros": (
        {
            "customers": CUSTOMERS.replace("\na,", "\n001,").replace("\nb,", "\n002,"),
            "transactions": lines(200).replace("\na,", "\n1,").replace("\nb,", "\n2,"),
        },
        "are of customers whom [customers] writes in another way (the first: row ",
    ),
}


@pytest.mark.parametrize("suspect", SUSPECTS)
def test_what_looks_wrong_is_said_once_with_the_key_that_helps(write_source, suspect):
    files, sentence = SUSPECTS[suspect]
    found = suspicions(opened(write_source(END, **{"transactions": lines(200)} | files)))
    assert len([each for each in found if sentence in each]) == 1
    assert len(found) == 1


def test_two_files_of_the_same_bytes_are_said(write_source):
    toml = END + '[transactions]\nfiles = "part_*.csv"\n'
    path = write_source(toml, part_1=lines(100), part_2=lines(100), transactions=None)
    found = suspicions(opened(path))
    assert "part_2.csv: the same content as part_1.csv; it counts twice." in found


def test_the_end_of_the_data_that_fits_is_said(write_source):
    late = suspicions(opened(write_source("as_of = 2024-12-31\n")))
    quiet = (dt.date(2024, 12, 31) - dt.date(2024, 4, 1)).days
    assert f"nobody bought in the {quiet} days before it; as_of = 2024-04-01" in late[0]
    early = suspicions(opened(write_source("as_of = 2024-03-01\n")))
    assert early == [
        "1 row of customers after as_of = 2024-03-01; as_of = 2024-06-01 has them all.",
        "2 purchases after as_of = 2024-03-01; as_of = 2024-04-01 has them all.",
        "1 row of survey after as_of = 2024-03-01; as_of = 2024-03-02 has them all.",
    ]


def test_the_end_that_has_all_customers_is_said_too(write_source):
    people = CUSTOMERS + "d,South,van,urban,2024-06-09,\ne,South,van,urban,2062-06-09,\n"
    files = {"customers": people, "transactions": lines(200)}
    assert suspicions(opened(write_source(END, **files))) == [
        "1 row of customers after as_of = 2024-06-01; as_of = 2024-06-09 has them all."
    ]


def ratings(top, toml="", n=40, low=1):
    """Return a source in which each of some customers answered, from `low` to `top`."""
    people = "customer_id,region\n" + "".join(f"k{i},North\n" for i in range(n))
    scores = [low + i % (top - low + 1) for i in range(n)]
    answers = "customer_id,satisfaction_1,loyalty_1\n"
    answers += "".join(f"k{i},{score},{10 if i == 3 else ''}\n" for i, score in enumerate(scores))
    toml = f'{END}[survey]\nfile = "survey.csv"\n{toml}'
    return toml, {"customers": people, "survey": answers, "transactions": None}


SCALES = {
    "1 to 5": (ratings(5), 5),
    "1 to 7": (ratings(7, n=100), 7),
    "turned round": (
        ratings(
            5, "[survey.columns]\nsatisfaction_1 = { column = 'satisfaction_1', reverse = true }\n"
        ),
        5,
    ),
    "1 to 6": (ratings(6), None),
    "few of 7": (ratings(7), None),
    "few of 5": (ratings(5, n=29), None),
    "said": (ratings(5, "scale_of = [1, 5]\n"), None),
}


@pytest.mark.parametrize("case", SCALES)
def test_ratings_that_end_at_five_are_said(write_source, case):
    (toml, files), end = SCALES[case]
    found = list(other_scales(opened(write_source(toml, **files))))
    assert found == [
        f"survey.csv: no answer above {end} in satisfaction_1, where 10 is the highest: if {end} "
        f"is the highest that there is, scale_of = [1, {end}]."
    ] * (end is not None)


@pytest.mark.parametrize(
    ("last", "is_said"),
    [("999", True), ("7", True), ("1000", False), ("1.5", False), (None, False)],
)
def test_a_decimal_mark_that_may_separate_thousands_is_said(write_source, last, is_said):
    amounts = [f"{i}.{i}5{i}" for i in range(1, 10)] * 4 + ([last] if last else [])
    files = {"transactions": lines(len(amounts), amount=amounts)}
    found = list(other_scales(opened(write_source(END, **files))))
    assert (
        found
        == [
            "transactions.csv: 'amount' is never above 999 without a '.', and has three digits "
            "behind each: if it separates thousands, decimal = ',' and thousands = '.'."
        ]
        * is_said
    )


def test_every_column_to_supply_is_named(write_source):
    _, said = shown(write_source(END))
    use = claims.use_of(opened(write_source(END)))
    columns = claims.columns_to_supply(use.lacking)["column"]
    assert len(columns) > report.MOST_COLUMNS
    (rest,) = [line for line in said.splitlines() if line.startswith("And ")]
    names = ", ".join(columns[report.MOST_COLUMNS :])
    assert rest == f"And {len(columns) - report.MOST_COLUMNS} more: {names}."


def test_ratings_that_are_turned_round_are_said(write_source):
    rng = np.random.default_rng(4)
    true = rng.normal(size=80)
    rated = {
        name: np.clip(np.round(5.5 + sign * 2 * true + rng.normal(size=80)), 1, 10)
        for name, sign in (("satisfaction_1", -1), ("loyalty_1", 1), ("performance", 1))
    }
    answers = pd.DataFrame({"customer_id": [f"k{i}" for i in range(80)], **rated})
    people = "customer_id,region\n" + "".join(f"k{i},North\n" for i in range(80))
    files = {"customers": people, "survey": answers.to_csv(index=False), "transactions": None}
    path = write_source(END, **files)
    _, said = shown(path)
    assert "North: satisfaction goes against" in said
    assert "reverse = true" in said


def test_a_region_that_would_be_stopped_is_said_with_its_reason(write_source):
    files = {"transactions": TRANSACTIONS.replace(",300,", ",x,")}
    is_whole, said = shown(write_source("as_of = 2024-12-31\n", **files))
    assert not is_whole
    assert "North would be stopped: transactions.csv: 25.0% of the rows of North break" in said
    assert "South would be stopped" not in said


def test_every_claim_is_testable_or_says_what_it_lacks(write_source):
    use = claims.use_of(opened(write_source()))
    assert set(use.testable) == set(register())
    assert use.regions == 2
    lacking = set(use.lacking["claim"])
    assert lacking | {key for key, n in use.testable.items() if n == 2} == set(register())
    columns = claims.columns_to_supply(use.lacking).set_index("column")
    assert columns.loc["complaints.opened_at", "claims"] == ["H08", "H09", "H10", "H11"]
    line = columns.loc["survey.expectation", "example"]
    assert line == '[survey.columns] expectation = "your column"'


def test_the_reference_of_keys_is_that_of_the_schema():
    page = (sources.DATA / "README.md").read_text(encoding="utf-8")
    assert reference.written(page) == page
    assert "| `max_set_aside` | number from 0 to 1 |" in page
    assert page.count("| `same_file_as` |") == 1


def test_every_key_of_the_reference_has_a_meaning():
    rows = [line for line in reference.reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert all(line.split("|")[3].strip() for line in rows)


def test_what_is_left_out_is_said_by_region_and_whole(write_source):
    back = TRANSACTIONS + "a,2024-03-16 10:00,S1,fuel,-30,-225,-200\n,2024-03-16,S1,fuel,1,8,7\n"
    path = write_source('as_of = 2024-07-01\ncurrency = "CNY"\n', transactions=back)
    is_whole, said = shown(path)
    assert is_whole
    assert "1 purchase line has no customer: 8 CNY, 0.9% of all sales" in said
    assert "North: 1 refund line, 225 CNY, is netted" in said
    assert dataset.problems(opened(path)).empty


def test_columns_that_nothing_is_made_of_are_named_once_for_files_alike(write_source):
    toml = END + '[transactions]\nfiles = "part_*.csv"\ndrop = { state = ["void"] }\n'
    parts = {f"part_{i}": lines(9, seed=i, pump=str(i), state="paid") for i in (1, 2)}
    path = write_source(toml, transactions=None, **parts)
    _, said = shown(path)
    assert "part_1.csv, part_2.csv: columns not used: pump." in said
    assert said.count("columns not used") == 1


def test_a_blank_line_shifts_no_row_number(write_source):
    text = TRANSACTIONS.replace(",300,", ",x,")
    row = 1 + next(i for i, line in enumerate(text.split("\n")) if ",x," in line)
    first, rest = text.split("\n", 1)
    for gap, encoding in (("\n\n", "utf-8"), ("\n\n\n", "utf-16")):
        shift = len(gap) - 1
        path = write_source(
            END + f'encoding = "{encoding}"\n', **{"transactions": first + gap + rest}
        )
        if encoding == "utf-16":
            for file in path.parent.rglob("*.csv"):
                file.write_text(file.read_text(encoding="utf-8"), encoding="utf-16")
        assert f"row {row + shift}: " in shown(path)[1]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_delimiter_that_does_not_split_is_said_with_the_one_that_does(write_source, mark):
    path = write_source(customers=CUSTOMERS.replace(",", mark))
    with pytest.raises(DataError) as error:
        opened(path)
    assert str(error.value) == (
        f"customers.csv: the header is one column, which holds {mark!r}; "
        f"expected a key such as delimiter = {mark!r}."
    )


PEOPLE = pd.DataFrame({"customer_id": [f"k{n}" for n in range(40)], "region": "North"})


def test_a_person_in_the_place_of_a_region_is_in_no_list_of_regions(write_source):
    """A shifted row puts a name there: it is described with its row, and no report is made."""
    people = PEOPLE.copy()
    people.loc[11, "region"] = "Ottilie Vogelsanger 0171-5551286"
    found = opened(write_source(END, customers=people.to_csv(index=False)))
    assert found.regions()["region"].tolist() == ["North"]
    (said,) = [each for each in suspicions(found) if "region" in each]
    assert said.startswith("customers.csv: row 13: region Xxxxxxx Xxxxxxxxxxx 9999-9999999 (")
    assert "Vogelsanger" not in said
    assert "Vogelsanger" in " ".join(suspicions(found, shows_values=True))


def test_small_sources_keep_their_small_regions(write_source):
    people = PEOPLE.head(3).assign(region=["North", "North", "South"])
    found = opened(write_source(END, customers=people.to_csv(index=False)))
    assert found.regions()["region"].tolist() == ["North", "South"]


def test_regions_that_differ_in_case_are_suspected_to_be_one(write_source):
    people = PEOPLE.assign(region=["North"] * 30 + ["north "] * 10)
    found = suspicions(opened(write_source(END, customers=people.to_csv(index=False))))
    (said,) = [each for each in found if "may be one" in each]
    assert said.startswith("customers.csv: regions 'North', 'north' may be one: region = {")
