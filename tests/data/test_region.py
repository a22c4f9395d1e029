"""One region: its rows, as far as they were known on a day."""

import datetime as dt
from dataclasses import replace

import ibis
import pandas as pd
import pytest

from analysis.claims import hypotheses
from analysis.cohorts import complaints, purchases, survey
from analysis.data import dataset
from analysis.data.asked import unasked
from analysis.data.errors import DataError
from analysis.data.region import load_region
from tables import TRANSACTIONS, opened


def test_a_whole_source_has_nothing_to_say(write_source):
    whole = opened(write_source())
    assert dataset.problems(whole).empty
    assert whole.regions().to_dict("list") == {"region": ["North", "South"], "customers": [2, 1]}


def test_a_region_holds_its_own_rows(write_source):
    here = load_region(str(write_source()), "North")
    assert here.customers["customer_id"].tolist() == ["a", "b"]
    assert here.rows == {"customers": 2, "transactions": 4, "survey": 2}
    assert (here.start, here.end) == (dt.date(2024, 2, 1), dt.date(2024, 12, 31))
    assert here.days == 335
    assert here.survey["satisfaction_2"].isna().tolist() == [False, True]
    assert "survey.loyalty_1" not in here.columns
    assert "survey.satisfaction_2" in here.columns


def test_purchases_stay_in_the_engine(write_source):
    here = load_region(str(write_source()), "North")
    assert isinstance(here.purchases, ibis.expr.types.Table)
    assert not isinstance(here.purchases, pd.DataFrame)


def test_what_was_not_known_on_the_day_is_left_out(write_source):
    here = load_region(str(write_source()), "North", as_of="2024-02-15")
    assert here.rows == {"customers": 2, "transactions": 2, "survey": 0}
    assert here.end == dt.date(2024, 2, 15)


COMPLAINTS = """complaint_id,customer_id,opened_at,explained_at,resolved_at,satisfaction_after
1,a,2024-04-10 09:00,2024-04-12 10:00,2024-04-20 09:00,8
2,b,2024-03-10 09:00,,,7
"""


@pytest.mark.parametrize(
    ("as_of", "explained", "settled"),
    [
        ("2024-04-11", False, False),
        ("2024-04-12", True, False),
        ("2024-04-19", True, False),
        ("2024-04-20", True, True),
        ("", True, True),
    ],
)
def test_an_open_complaint_does_not_know_its_end(write_source, as_of, explained, settled):
    toml = "[complaints]\nfile = 'complaints.csv'\n"
    here = load_region(str(write_source(toml, complaints=COMPLAINTS)), "North", as_of)
    first, second = here.complaints.set_index("complaint_id").loc[["1", "2"]].itertuples()
    assert pd.notna(first.explained_at) == explained
    assert pd.notna(first.resolved_at) == settled
    assert (first.satisfaction_after == 8) == settled
    assert second.satisfaction_after == 7  # nobody says when it was settled
    assert ("complaints.resolved_at" in here.columns) == settled


def test_a_complaint_that_was_not_yet_opened_is_not_there(write_source):
    toml = "[complaints]\nfile = 'complaints.csv'\n"
    path = write_source(toml, complaints=COMPLAINTS)
    assert load_region(str(path), "North", "2024-04-09").complaints["complaint_id"].tolist() == [
        "2"
    ]


def test_a_card_of_a_later_day_is_not_known(write_source):
    path = str(write_source())
    assert load_region(path, "North", "2024-05-31").customers["card_since"].isna().all()
    cards = load_region(path, "North", "2024-06-01").customers["card_since"]
    assert cards.tolist() == [pd.NaT, pd.Timestamp("2024-06-01")]


def test_tables_that_are_not_there_have_the_kinds_of_those_that_are(write_source):
    path = write_source(survey=None)
    here = load_region(str(path), "North")
    assert here.survey.empty
    assert here.survey["answered_on"].dtype.kind == here.complaints["opened_at"].dtype.kind == "M"
    assert here.survey["satisfaction_1"].dtype == float
    assert survey.table(here).empty
    assert complaints.table(here).empty


def test_an_unknown_region_is_refused_with_the_nearest(write_source):
    with pytest.raises(
        DataError, match=r"No region 'Nroth' in the source 'small'\. Did you mean 'North'"
    ):
        load_region(str(write_source()), "Nroth")


@pytest.mark.parametrize("day", ["2030-01-01", "31.12.2024"])
def test_a_day_that_the_data_does_not_reach_is_refused(write_source, day):
    with pytest.raises(DataError, match="as_of = "):
        load_region(str(write_source()), "North", as_of=day)


def test_a_product_that_is_not_named_is_not_beyond_fuel(write_source):
    lines = TRANSACTIONS.replace("S1,shop", "S1,").replace("S2,fuel", "S2,shop")
    here = load_region(str(write_source(transactions=lines)), "North")
    bought = purchases.per_customer(here, here.start, here.end)
    assert bought["beyond_fuel"].to_dict() == {"a": False, "b": True}


def test_costs_of_a_part_of_the_lines_are_no_margin(write_source):
    here = load_region(str(write_source(transactions=TRANSACTIONS.replace(",270", ","))), "North")
    assert "transactions.cost" not in here.columns
    assert "margin" not in purchases.per_customer(here, here.start, here.end)


@pytest.mark.parametrize(("amount", "known"), [("20", False), ("0", True)])
def test_a_cost_of_0_beside_an_amount_is_none_that_is_known(write_source, amount, known):
    """What is given away may cost nothing; what is sold does not."""
    lines = TRANSACTIONS.replace("shop,1,20,12", f"shop,1,{amount},0")
    here = load_region(str(write_source(transactions=lines)), "North")
    assert ("transactions.cost" in here.columns) is known


def test_a_region_of_one_day_has_one_day(write_source):
    here = load_region(str(write_source("as_of = 2024-04-01\n")), "South")
    needs = hypotheses.register()["H12"]
    assert here.missing(replace(needs, needs=("transactions.amount",))) == [
        f"It needs {needs.min_days} days of purchases; there is 1."
    ]


def test_answers_at_another_time_say_until_when_the_data_must_reach():
    """A year of 364 days before 2026-06-29 is 2025-06-30, and the quarter before has 91 days."""
    end = dt.date(2026, 6, 29)

    def said(*days):
        return unasked(pd.Series(pd.to_datetime([*days, None])), end, 364)

    assert said("2025-04-01 09:00") == said("2025-06-30 18:00") == said() == ""
    assert said("2025-03-31", "2025-10-15").endswith("once the data reach 2026-10-14.")
    assert said("2025-03-31").endswith("will do with as_of = 2026-03-30 in the source.")
    assert "quarter before 2025-06-30, 364 days before the data end" in said("2025-07-01")


def test_six_purchase_lines_of_three_customers_are_a_region(case):
    path = case("zero")
    [name] = opened(path).regions()["region"]
    here = load_region(path, name)
    assert here.rows == {"customers": 3, "transactions": 6}
    assert here.rejected.empty
