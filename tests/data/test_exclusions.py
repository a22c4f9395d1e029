"""Refunds and repeated answers: what does not count, and what is said about it."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.claims import hypotheses
from analysis.cohorts import purchases, survey
from analysis.data import exclusions
from analysis.data.errors import counted
from analysis.data.exclusions import Refunds, one_a_day
from analysis.data.region import load_region
from tables import TRANSACTIONS, opened

AGAIN = "customer_id,answered_on,satisfaction_1,satisfaction_2,channel\n"

ORDERS = {
    "the emptier one first": ("a,2024-03-01,8,,\na,2024-03-01,6,7,\n", 6),
    "the emptier one last": ("a,2024-03-01,6,7,\na,2024-03-01,9,,\n", 6),
    "a channel is no rating": ("a,2024-03-01,3,4,\na,2024-03-01,9,,online\n", 3),
    "a channel makes none more complete": ("a,2024-03-01,6,,phone\na,2024-03-01,9,,\n", 9),
    "a channel at an earlier hour": (
        "a,2024-03-01 10:00,3,4,online\na,2024-03-01 11:00,9,9,\n",
        9,
    ),
    "as complete, the lower one last": ("a,2024-03-01,9,9,\na,2024-03-01,4,4,\n", 4),
    "as complete, the higher one last": ("a,2024-03-01,4,4,\na,2024-03-01,9,9,\n", 9),
    "as complete, the later hour first": ("a,2024-03-01 11:00,4,4,\na,2024-03-01 10:00,9,9,\n", 4),
    "the emptier one at a later hour": ("a,2024-03-01 10:00,4,4,\na,2024-03-01 11:00,9,,\n", 4),
    "of three the second": ("a,2024-03-01,8,,\na,2024-03-01,4,4,\na,2024-03-01,9,,\n", 4),
}


@pytest.mark.parametrize("order", ORDERS)
def test_of_answers_of_one_day_the_more_complete_counts_then_the_later(write_source, order):
    rows, expected = ORDERS[order]
    path = write_source(survey=AGAIN + "b,2024-03-01,5,5,\n" + rows)
    here = load_region(str(path), "North")
    assert here.answers()["satisfaction_1"].to_dict() == {"a": expected, "b": 5}
    assert here.survey["customer_id"].tolist() == ["a", "b"]
    repeated = rows.count("\n") - 1
    assert here.repeated_answers == repeated
    assert here.rows["survey"] == 2 + repeated
    assert exclusions.repeated_answers(opened(path)) == {"North": repeated}


def test_answers_of_other_days_and_of_no_day_all_stay(write_source):
    rows = "a,2024-03-01,4,4,\na,2024-03-02,5,,\nb,,4,4,\nb,,5,,\nc,2024-03-01,4,4,\n"
    path = write_source(survey=AGAIN + rows)
    here = load_region(str(path), "North")
    assert here.answers()["satisfaction_1"].to_dict() == {"a": 5, "b": 4}
    assert (len(here.survey), here.repeated_answers) == (4, 0)
    assert exclusions.repeated_answers(opened(path)) == {}


def test_answers_after_the_last_day_are_not_counted_as_repeated(write_source):
    rows = "a,2024-03-01,4,4,\na,2024-03-01,5,,\na,2024-03-09,6,,\na,2024-03-09,7,7,\n"
    path = str(write_source(survey=AGAIN + rows))
    early, late = load_region(path, "North", "2024-03-08"), load_region(path, "North")
    assert (early.repeated_answers, late.repeated_answers) == (1, 2)
    assert early.answers()["satisfaction_1"].tolist() == [4]
    assert late.answers()["satisfaction_1"].tolist() == [7]


@settings(max_examples=15)
@given(st.permutations(range(12)), st.randoms(use_true_random=False))
def test_the_order_of_the_file_counts_for_equally_complete_answers_alone(order, chance):
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number // 3}" for number in range(12)],
            "answered_on": pd.Timestamp("2024-03-01"),
            "station_id": None,
            "satisfaction_1": 5.0,
            "satisfaction_2": [5.0, None, None] * 4,
            "loyalty_1": [chance.randint(1, 10) for _ in range(12)],
        }
    )
    first, again = (one_a_day(each) for each in (frame, frame.iloc[list(order)]))
    pd.testing.assert_frame_equal(first, again)
    assert first["loyalty_1"].tolist() == frame["loyalty_1"][::3].tolist()


def test_who_broke_off_and_began_again_takes_part(case):
    """Customers 1 and 3 left a row beside a complete one: the first empty, the other nearly."""
    here = load_region(case("27-restarted-answer"), "North")
    ratings = ["expectation", "performance", "satisfaction_1", "loyalty_1"]
    expected = {"C1": [6, 7, 8, 9], "C2": [5, 5, 5, 5], "C3": [4, 4, 4, 4]}
    assert here.answers()[ratings].T.to_dict("list") == expected
    assert here.repeated_answers == 1  # an empty one is no answer
    assert survey.table(here).index.tolist() == ["C1", "C2", "C3"]


def test_refunds_are_a_share_of_the_sales_of_their_region_and_their_time(write_source):
    back = "a,2024-02-02 09:00,S1,shop,-1,-20,-12\na,2024-05-01 09:00,S1,fuel,-30,-225,\n"
    nobody = "z,2024-02-02 09:00,S1,shop,-1,-999,\n"
    toml = "as_of = 2024-12-31\nmax_set_aside = 1.0\n[transactions]\nfile = 'transactions.csv'\n"
    toml += "refunds = 'leave_out'\n"
    path = write_source(toml, transactions=TRANSACTIONS + back + nobody)
    north, south = (load_region(str(path), name).refunds for name in ("North", "South"))
    assert (north.lines, north.amount, north.sales) == (2, 245.0, 695.0)
    assert north.share == pytest.approx(245 / 695)
    assert (south.lines, south.amount, south.sales, south.share) == (0, 0, 400, 0)
    early = load_region(str(path), "North", "2024-02-15").refunds
    assert (early.lines, early.amount, early.sales) == (1, 20.0, 320.0)
    assert exclusions.refunds_by_region(opened(path)) == {"North": north}
    assert north.sentence("CNY") == (
        "2 refund lines are excluded: 245 of 695 CNY, 35.3% of sales; the purchases they belong "
        "to stay in"
    )


def test_a_region_without_purchases_has_no_refunds(write_source):
    path = write_source(transactions=None)
    assert load_region(str(path), "North").refunds == Refunds(0, 0.0, 0.0, 0.0)
    assert exclusions.refunds_by_region(opened(path)) == {}


def test_refunds_of_a_region_that_sold_nothing_else_are_all_of_its_sales(write_source):
    lines = TRANSACTIONS.replace(",400,350", ",-400,350")
    path = write_source(transactions=lines)
    here = load_region(str(path), "South")
    assert here.refunds.share == 1
    assert here.refunds.sentence("CNY") == (
        "1 refund line is excluded: 400 CNY; there are no sales that it could belong to"
    )
    assert Refunds.of(2, 500, 0).sentence("") == (
        "2 refund lines are excluded: 500; there are no sales that they could belong to"
    )
    bought = hypotheses.register()["H12"]
    assert here.missing(bought) == [
        "The table 'transactions' has no row for this region that meets the data contract."
    ]


def test_a_region_without_lines_has_no_table_though_lines_of_strangers_are_rejected(write_source):
    lines = TRANSACTIONS.replace("c,2024-04-01", "z,2024-04-01")
    path = write_source(transactions=lines)
    here = load_region(str(path), "South")
    assert here.rejected["table"].tolist() == ["transactions"]
    lacks = here.missing(hypotheses.register()["H12"])
    assert lacks == ["There is no table 'transactions' for this region."]


def test_what_is_counted_is_one_or_many():
    words = [counted(n, "line") for n in (0, 1, 2, 1000)]
    assert words == ["0 lines", "1 line", "2 lines", "1,000 lines"]
    assert exclusions.repeated_sentence(1).startswith("1 answer is left out")
    assert exclusions.repeated_sentence(2).startswith("2 answers are left out")


def test_a_purchase_that_was_given_back_is_netted_and_said(case):
    """One customer bought for 30 and for 1,000, and gave the 1,000 back: 1,200 net of 2,200."""
    here = load_region(case("23-refund"), "North")
    assert here.refunds == Refunds(0, 0.0, 1200.0, 0.0)
    assert purchases.per_customer(here, here.start, here.end)["sales"].max() == 30
    said = "1 refund line, 1,000, is netted against the purchase that it undoes"
    assert exclusions.sentences(here) == [said]
