"""Purchases added up in the engine, against tables worked out by hand and published ones."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analysis import data, lifetime, purchases
from analysis.example.rehearsal import region_of
from analysis.example.tables import draw
from analysis.example.world import World


@pytest.fixture
def north(write_source):
    return data.load(str(write_source()), "North")


def test_each_customer_by_hand(north):
    found = purchases.per_customer(north, dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    a, b = found.loc["a"], found.loc["b"]
    assert (a["visits"], a["sales"], a["quantity"], a["margin"]) == (1, 320.0, 41.0, 38.0)
    assert (a["fuel_sales"], a["fuel_margin"], a["beyond_fuel"]) == (300.0, 30.0, True)
    assert (a["first_on"], a["last_on"]) == (pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-01"))
    assert (b["visits"], b["margin"], b["beyond_fuel"]) == (1, 10.0, False)


def test_both_ends_of_the_time_count(north):
    last_day = purchases.per_customer(north, dt.date(2024, 3, 15), dt.date(2024, 3, 15))
    assert last_day["sales"].to_dict() == {"a": 225.0, "b": 0.0}
    assert last_day["visits"].tolist() == [1, 0]
    assert pd.isna(last_day.loc["b", "last_on"])
    day_before = purchases.per_customer(north, dt.date(2024, 3, 1), dt.date(2024, 3, 14))
    assert day_before["sales"].sum() == 0


def test_months_and_products_by_hand(north):
    months = purchases.per_month(north)
    assert months["customers"].tolist() == [2, 1]
    assert months["sales"].tolist() == [470.0, 225.0]
    products = purchases.per_product(north).set_index("product")
    assert products.loc["fuel", ["customers", "lines", "unit_price"]].tolist() == [2, 3, 7.5]
    assert products.loc["shop", "without_quantity"] == 0


def test_history_leaves_out_who_was_there_before(north):
    found = purchases.purchase_history(north, dt.date(2024, 1, 1), dt.date(2024, 3, 21))
    assert found.index.tolist() == ["a"]  # b joined in 2023
    assert found.loc["a", "frequency"] == 1
    assert found.loc["a", "recency_weeks"] == pytest.approx(43 / 7)
    assert found.loc["a", "age_weeks"] == pytest.approx(7)
    assert found.loc["a", "mean_amount"] == 225.0


def test_purchases_around_a_day_equal_a_table_joined_by_hand():
    tables = draw(World(), 200, 6)
    here, rng = region_of(tables), np.random.default_rng(1)
    ids = rng.permutation(tables["customers"]["customer_id"])[:150]
    days = pd.Timestamp("2025-07-01 15:30") + pd.to_timedelta(rng.integers(-150, 150, 150), "D")
    own_day = pd.Series(days, pd.Index(ids, name="customer_id"))
    spans = {"before": (-91, -1), "on": (0, 0), "after": (1, 364)}
    found = purchases.around(here, own_day, spans)
    lines = tables["transactions"].set_index("customer_id")
    lines = lines.join(own_day.rename("own"), how="inner")
    bought_on = lines["bought_at"].dt.normalize()
    since = (bought_on - lines["own"].dt.normalize()).dt.days
    for name, (first, last) in spans.items():
        inside = lines.assign(day=bought_on)[since.between(first, last).to_numpy()]
        each = inside.groupby(level=0).agg(visits=("day", "nunique"), sales=("amount", "sum"))
        each = each.reindex(own_day.index, fill_value=0)
        assert found[f"visits_{name}"].tolist() == each["visits"].tolist()
        assert found[f"sales_{name}"].to_numpy() == pytest.approx(each["sales"].to_numpy())
    assert found.index.equals(own_day.index)
    assert (found["visits_on"] > 0).sum() > 5


def test_purchases_around_no_day_are_no_rows(north):
    nobody = pd.Series([], pd.Index([], name="customer_id"), dtype="datetime64[us]")
    assert purchases.around(north, nobody, {"after": (1, 9)}).shape == (0, 2)
    one = pd.Series([pd.Timestamp("2030-01-01")], pd.Index(["a"], name="customer_id"))
    assert purchases.around(north, one, {"after": (1, 9)}).loc["a"].tolist() == [0, 0]


def test_cdnow_history_is_the_published_one(shared, real_source):
    here = data.load(str(real_source("cdnow")), "cdnow")
    found = purchases.purchase_history(here, dt.date(1997, 1, 1), dt.date(1997, 9, 30))
    published = pd.read_csv(shared / "cdnow" / "summary.csv")
    assert found["frequency"].tolist() == published["x"].tolist()
    for ours, theirs in (("recency_weeks", "t_x"), ("age_weeks", "T"), ("mean_amount", "zbar")):
        assert found[ours].to_numpy() == pytest.approx(published[theirs].to_numpy(), abs=0.0051)
    fit = lifetime.fit_buying(found, "bg")
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)
