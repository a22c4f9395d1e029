"""Titles of pictures: one that names an effect names its range."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest

from analysis.claims.hypotheses import hypothesis
from analysis.figures import display, numbers, titles
from analysis.language import translate
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, from_se, means_by, share_of

END = r"[+−]?[\d,]*\.?\d+%?"
RANGED = re.compile(rf"{END} \({END} to {END}\)")
EFFECT = Estimate(0.31, 0.12, 0.5, 900)
TABLE = pd.DataFrame([vars(EFFECT), vars(EFFECT)], index=["card", "no card"])
MEANS = pd.DataFrame(
    {"mean": [5.1, 7.2, 7.9, 7.0], "sem": 0.1, "size": 80}, index=[-1.0, 0.0, 3.0, 4.0]
)
BINS = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [0.1, 0.3, 0.7]})
BINS = BINS.assign(ci_low=BINS["y"] - 0.05, ci_high=BINS["y"] + 0.05)
AREAS = pd.DataFrame({"area": ["urban", "suburban"], "channel": "online", "mean": 7.25, "sem": 0.1})
LISTS = pd.DataFrame({"precision": [0.3], "ci_low": [0.2], "ci_high": [0.4]}, index=["risk"])
RULE = pd.Series({"lost": 0.25, "returned": 0.1, "customers": 1000})
SHARE = pd.Series({"share": 0.4, "ci_low": 0.3, "ci_high": 0.5})

PART = hypothesis("H03").parts[0]

SAID = {
    "effects": ((TABLE, 0.0, None), []),
    "share": ((0.4, 0.3, 0.5), []),
    "within_bounds": ((0.02, 0.03), []),
    "mean": ((MEANS.iloc[0],), []),
    "concentration": ((share_of(0.6, 400), 0.8), ["20%", "80%"]),
    "bins": ((BINS, ("days", "share lapsed")), []),
    "agreement": ((TABLE.iloc[0], 0.83, 12), ["83%", "12"]),
    "pooled": (("lead", PART.ranged, TABLE.iloc[0].to_dict() | {"n_regions": 6}), ["6"]),
    "gain_and_loss": ((MEANS,), []),
    "channels": ((AREAS,), []),
    "largest_share": (("service", SHARE), []),
    "highest_answers": (({"performance": share_of(0.2, 300)},), ["10"]),
    "surface": ((EFFECT, EFFECT), []),
    "interaction": (("loyalty", EFFECT, EFFECT, EFFECT), []),
    "stations": ((EFFECT, EFFECT), []),
    "drop": ((MEANS.set_axis([2, 3, 4, 5]), 3), ["3", "4"]),
    "rule": ((RULE,), []),
    "lists": ((LISTS, 0.08), ["8%"]),
}
"""Arguments of a title, and the numbers in it that are no estimates: claims, counts, days."""
NO_EFFECTS = {
    "months", "boxes", "balance", "overlap", "promised",  # of all customers, or of the model
    "groups", "main_of", "mean_of", "ranges",  # what is given to them, or no title
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_title_that_names_an_effect_names_its_range(name):
    arguments, others = SAID[name]
    title = getattr(titles, name)(*arguments)
    assert RANGED.search(title), title
    assert re.findall(END, RANGED.sub("", title)) == others, title


@pytest.mark.parametrize(
    ("key", "numbers", "said"),
    [
        ("H03", (0.424, 0.094, 0.753), "+0.42 (+0.09 to +0.75)"),
        ("H10", (0.053, 0.017, 0.089), "+5.3 pp (+1.7 to +8.9)"),
        ("H17", (2.613, 2.301, np.inf), "2.61 (2.30 to ∞)"),
    ],
)
def test_an_effect_and_its_range_have_the_same_decimals_and_one_unit(key, numbers, said):
    found = dict(zip(("estimate", "ci_low", "ci_high"), numbers, strict=True))
    assert hypothesis(key).parts[0].ranged(found) == said


def test_every_title_is_looked_at():
    public = inspect.getmembers(titles, inspect.isfunction)
    own = {name for name, each in public if each.__module__ == titles.__name__}
    assert {name for name in own if not name.startswith("_")} == set(SAID) | NO_EFFECTS


def test_a_mean_of_one_customer_has_no_range_and_says_so():
    assert titles.mean({"mean": 7.0, "sem": np.nan, "size": 1}) == "7.0 (range unknown)"


def test_means_of_groups_have_their_ranges():
    """Of 4 and 6 with t(1) = 12.706: 5 ± 12.706; of 8 of 10 Wilson's 49% to 94%."""
    one = pd.DataFrame({"group": "a", "x": [4.0, 6.0]})
    found = means_by(one.groupby("group"), ["x"]).loc["a", "x"]
    assert (found.ci_low, found.ci_high) == pytest.approx((5 - 12.706, 5 + 12.706), abs=0.01)
    other = pd.DataFrame({"group": "b", "x": [1.0] * 8 + [0.0] * 2})
    found = means_by(other.groupby("group"), ["x"], ["x"]).loc["b", "x"]
    assert (found.ci_low, found.ci_high) == pytest.approx((0.490, 0.943), abs=0.001)


@pytest.mark.parametrize("rating", [1.0, 9.0, 0.1])
def test_ratings_that_are_all_equal_have_no_range(rating):
    """Not Wilson's of a share, nor one of no width: they tell no spread."""
    rated = pd.DataFrame({"group": "a", "x": [rating] * 20})
    found = means_by(rated.groupby("group"), ["x"]).loc["a", "x"]
    assert found.estimate == pytest.approx(rating)
    assert np.isnan([found.ci_low, found.ci_high]).all()
    assert titles.text("{x:.1f}", x=found) == f"{rating} (range unknown)"
    assert numbers.ranged(found).endswith(" (range unknown)")
    for weight in ({}, {"weight": np.arange(20) + 1.0}):
        row = weighting.by_group(rated.assign(**weight), "group", "x").loc["a"]
        assert titles.mean(row) == f"{rating} (range unknown)"


@pytest.mark.parametrize("scale", ["identity", "log", "logit"])
def test_an_estimate_without_an_error_has_no_interval(scale):
    for se in (0.0, 1e-17, np.nan):
        found = from_se(0.3, se, 20, scale=scale)
        assert np.isnan([found.ci_low, found.ci_high]).all()


def test_amounts_are_told_in_whatever_unit_they_are():
    """In yuan, and in millions of them: three digits of the largest of an interval."""
    each = Estimate(1_234.4, 98.7, 2_345.6, 9)
    assert titles.text("{x:amount}", x=each) == "1,234 (99 to 2,346)"
    assert titles.text("{x:+amount}", x=each.times(1e-6)) == "+0.00123 (+0.00010 to +0.00235)"
    amounts = [titles.text("{x:amount}", x=x) for x in (61_234.4, 599.3, 5.906, 0.0237, 0)]
    assert amounts == ["61,234", "599", "5.91", "0.0237", "0"]
    assert titles.text("{x:amount} of {y:amount}", x=7.0, y=20) == "7 of 20"
    assert translate("{x:amount}", "", "zh", {"x": 1_234_567.0}) == "123.5万"


def test_a_column_of_amounts_has_the_digits_of_its_largest():
    sales = pd.DataFrame({"sales": [0.000123, 0.0000045]}, index=["a", "b"])
    shown = display.table_html(sales, "", {"sales": "amount"})
    assert ">0.000123<" in shown
    assert ">0.000005<" in shown
    shown = display.table_html(1e6 * sales, "", {"sales": "amount"})
    assert ">123<" in shown
    assert ">4<" in shown


def test_a_share_has_wilsons_interval_also_at_its_ends():
    """Newcombe (1998), table I: 81 of 263 is 0.2553 to 0.3662, 0 of 20 up to 0.1611."""
    some, none = share_of(81 / 263, 263), share_of(0.0, 20)
    assert (some.ci_low, some.ci_high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert (none.ci_low, none.ci_high) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert np.isnan(share_of(0.5, 0).estimate)


def test_a_range_without_an_end_is_told():
    assert titles.text("{x:.1f}", x=Estimate(2.0, 0.5, np.inf, 9)) == "2.0 (0.5 to ∞)"
    assert titles.text("{x:.1f}", x=from_se(-0.01, 0.01, 9)) == "0.0 (0.0 to 0.0)"


def test_a_tier_is_visited_as_promised_where_its_whole_interval_is_near_the_promise():
    ends = {"ci_low": [2.49, 1.7, 0.9], "ci_high": [2.9, 2.1, 1.6]}
    visits = pd.DataFrame(ends, index=["A", "B", "C"])
    claimed = np.array([3.0, 2.0, 1.0])
    assert titles.promised(visits, claimed, 0.5) == "Visited about as often as promised: B"
    assert "Of no tier" in titles.promised(visits.loc[["A"]], claimed[:1], 0.5)
