"""Purchases added up in the engine, against tables worked out by hand and published ones."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import pytest

from analysis.cohorts import churn, data_profile, purchases
from analysis.data import cache
from analysis.data.region import load_region
from analysis.data.validation import shown
from analysis.statistics.value import purchase_models
from simulation import rehearsal
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World
from tables import TRANSACTIONS


@pytest.fixture
def north(write_source):
    return load_region(str(write_source()), "North")


def test_each_customer_by_hand(north):
    found = purchases.per_customer(north, dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    a, b = found.loc["a"], found.loc["b"]
    assert (a["visits"], a["sales"], a["volume"], a["margin"]) == (1, 320.0, 40.0, 38.0)
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


def test_months_and_products_by_hand(north, monkeypatch):
    monkeypatch.setattr(shown, "LEAST_SHOWN", 1)
    months = data_profile.per_month(north)
    assert months["customers"].tolist() == [2, 1]
    assert months["sales"].tolist() == [470.0, 225.0]
    products = data_profile.per_product(north).set_index("product")
    assert products.loc["fuel", ["customers", "lines", "unit_price"]].tolist() == [2, 3, 7.5]
    assert products.loc["shop", "without_quantity"] == 0


def test_lines_without_a_product_have_a_name_in_the_table(write_source, monkeypatch):
    monkeypatch.setattr(shown, "LEAST_SHOWN", 1)
    lines = TRANSACTIONS.replace(",shop,", ",,")
    assert lines != TRANSACTIONS
    here = load_region(str(write_source(transactions=lines)), "North")
    assert sorted(data_profile.per_product(here)["product"]) == ["fuel", "not named"]


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


def test_sums_are_the_same_to_the_last_digit_in_whatever_order_lines_lie():
    tables, found = draw(World(), 120, 3), []
    for seed in (1, 2):
        lines = tables["transactions"].sample(frac=1, random_state=seed)
        here = region_of(tables | {"transactions": lines})
        bought = purchases.per_customer(here, here.start, here.end)
        around = purchases.around(here, bought["first_on"].dropna(), {"later": (0, 200)})
        history = purchases.purchase_history(here, here.start, here.end)
        found.append([bought, around, history])
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    ordinary = tables["transactions"].groupby("customer_id")["amount"].sum()
    bought = found[0][0]["sales"]
    assert bought.to_numpy() == pytest.approx(
        ordinary.reindex(bought.index, fill_value=0), abs=1e-6
    )


def test_purchases_around_no_day_are_no_rows(north):
    nobody = pd.Series([], pd.Index([], name="customer_id"), dtype="datetime64[us]")
    assert len(purchases.around(north, nobody, {"after": (1, 9)})) == 0
    one = pd.Series([pd.Timestamp("2030-01-01")], pd.Index(["a"], name="customer_id"))
    assert (purchases.around(north, one, {"after": (1, 9)}).loc["a"] == 0).all()


def test_margins_around_a_day_by_hand(north):
    """Customer a bought on February 1 and March 15, b on February 20."""
    days = pd.to_datetime(["2024-02-01 18:00", "2024-02-21 00:00"])
    own_day = pd.Series(days, pd.Index(["a", "b"], name="customer_id"))
    found = purchases.around(north, own_day, {"before": (-1, -1), "on": (0, 0), "after": (1, 43)})
    assert found.loc["a", ["margin_before", "margin_on", "margin_after"]].tolist() == [0, 38, 25]
    assert found.loc["b", ["margin_before", "margin_on", "margin_after"]].tolist() == [10, 0, 0]


def test_where_costs_are_not_known_there_are_no_margins_around_a_day():
    own_day = pd.Series([pd.Timestamp("2026-06-01")], pd.Index(["a"], name="customer_id"))
    found = purchases.around(handmade([("a", 0)]), own_day, {"before": (-9, 0)})
    assert found.columns.tolist() == ["visits_before", "sales_before"]


# --- day by day


def test_each_day_by_hand(north):
    found = purchases.by_day(north, dt.date(2024, 2, 1), dt.date(2024, 3, 15))
    assert found.to_numpy().tolist() == [[0, 0, 40], [0, 43, 30], [1, 19, 20]]  # no shop
    assert found.dtypes.astype(str).tolist() == ["int32", "int32", "float32"]
    between = purchases.by_day(north, dt.date(2024, 2, 2), dt.date(2024, 3, 14))
    assert between.to_numpy().tolist() == [[1, 18, 20]]


def test_volume_without_products_is_everything_and_without_quantities_nothing(write_source):
    first, last = dt.date(2024, 2, 1), dt.date(2024, 3, 15)
    lines = pd.read_csv(io.StringIO(TRANSACTIONS))
    plain = lines.drop(columns="product").to_csv(index=False)
    here = load_region(str(write_source(transactions=plain)), "North")
    assert purchases.by_day(here, first, last)["volume"].tolist() == [41, 30, 20]
    bare = lines.drop(columns=["product", "quantity"]).to_csv(index=False)
    here = load_region(str(write_source(transactions=bare)), "North")
    assert purchases.by_day(here, first, last)["volume"].tolist() == [0, 0, 0]


def test_days_are_those_of_a_table_grouped_by_hand():
    tables = draw(World(), 150, 3)
    tables["customers"] = tables["customers"].sample(frac=1, random_state=0)
    first, last = dt.date(2025, 1, 1), dt.date(2025, 6, 30)
    found = purchases.by_day(region_of(tables), first, last)
    lines = tables["transactions"].assign(day=lambda d: d["bought_at"].dt.normalize())
    lines = lines[lines["day"].between(pd.Timestamp(first), pd.Timestamp(last))]
    fuel = lines["quantity"].where(lines["product"].isin(["fuel", "gas"]), 0)
    each = fuel.groupby([lines["customer_id"], lines["day"]]).sum().reset_index()
    places = {who: row for row, who in enumerate(sorted(tables["customers"]["customer_id"]))}
    assert found["row"].tolist() == each["customer_id"].map(places).tolist()
    assert found["day"].tolist() == (each["day"] - pd.Timestamp(first)).dt.days.tolist()
    assert found["volume"].to_numpy() == pytest.approx(each["quantity"].to_numpy(), rel=1e-5)
    assert len(found) > 1_000


# --- silences


def handmade(bought, **columns):
    """Return a region of these purchases (who, days after 2026-05-31)."""
    lines = pd.DataFrame(bought, columns=["customer_id", "day"])
    day = pd.Timestamp("2026-05-31") + pd.to_timedelta(lines.pop("day"), "D")
    lines = lines.assign(bought_at=day + pd.Timedelta(hours=9), amount=10.0, **columns)
    people = lines[["customer_id"]].drop_duplicates().assign(region="Example")
    return region_of({"customers": people, "transactions": lines})


def limits(*rows):
    """Return limits of silence by customer: who, day from which on purchases count, days."""
    frame = pd.DataFrame(rows, columns=["customer_id", "since", "limit_days"])
    return frame.assign(since=pd.to_datetime(frame["since"])).set_index("customer_id")


def test_first_silences_by_hand():
    """The data ends on 2026-06-29; days are the first ten of its last thirty."""
    days = {"a": [0, 3, 9], "b": [0, 4, 9], "c": [0, 3, 9], "d": [9, 9], "e": [2]}
    here = handmade([(who, day) for who, each in days.items() for day in each])
    found = purchases.first_silences(
        here,
        limits(
            ("a", "2026-05-31", 5),  # six days between the second and the third
            ("b", "2026-05-31", 5),  # five at most, then twenty to the end
            ("c", "2026-06-04", 5),  # the silence began before, and lasts
            ("d", "2026-05-31", 20),
            ("e", "2026-06-03", 5),  # silent since the day before
            ("unknown", "2026-05-31", 5),
        ),
    )
    silent = found["silent_from"].dt.strftime("%m-%d")
    assert silent.dropna().to_dict() == {"a": "06-03", "b": "06-09", "c": "06-03", "e": "06-02"}
    returned = {"a": True, "b": False, "c": True, "d": False, "e": False}
    assert found["returned"].to_dict() == returned


def test_a_silence_is_longer_than_the_limit_up_to_the_end_too():
    here = handmade([("a", 0), ("b", 0), ("c", 0)])
    since = "2026-05-31"
    found = purchases.first_silences(
        here, limits(("a", since, 28.9), ("b", since, 29), ("c", since, 29.1))
    )
    assert found["silent_from"].notna().tolist() == [True, False, False]


def test_purchases_of_the_first_day_count_at_whatever_hour():
    here = handmade([("a", 0)])
    found = purchases.first_silences(here, limits(("a", "2026-05-31 15:00", 10)))
    assert found["silent_from"].tolist() == [pd.Timestamp("2026-05-31")]


# --- stations


def test_stations_by_hand():
    """Customer c was at S2 twice a day, d as often at S1 as at S2, e nowhere that is known."""
    visits = {
        "S1": [("a", 0), ("a", 1), ("a", 2), ("c", 3), ("c", 4), ("d", 0)],
        "S2": [("a", 3), ("b", 5), ("c", 6), ("c", 6), ("c", 6), ("d", 6)],
        "S3": [("a", 9)],
        None: [("e", 7), ("b", 8), ("b", 9)],
    }
    lines = [line for each in visits.values() for line in each]
    station = [name for name, each in visits.items() for _ in each]
    here = handmade(lines, station_id=station)
    found = churn.per_station(here)
    assert found.index.tolist() == ["S1", "S2", "S3"]
    assert found["days"].tolist() == [5, 3, 1]
    assert found["first_on"].dt.day.tolist() == [31, 3, 9]
    assert found["last_on"].dt.day.tolist() == [4, 6, 9]
    assert churn.usual_stations(here).value_counts().to_dict() == {"S1": 3, "S2": 1}


# --- days that were loaded twice


def test_a_day_loaded_twice_is_found_and_equal_lines_are_not():
    once = [(f"c{number}", day) for day in (0, 1, 2, 3) for number in range(10)]
    here = [*once, *once[10:20], *once[20:30], *once[20:30], once[35]]
    assert purchases.repeated_days(handmade(here)) == [dt.date(2026, 6, 1), dt.date(2026, 6, 2)]
    assert purchases.repeated_days(handmade(once)) == []


def test_a_day_with_a_single_new_line_was_not_loaded_twice():
    once = [(f"c{number}", 0) for number in range(10)]
    assert purchases.repeated_days(handmade([*once, *once])) == [dt.date(2026, 5, 31)]
    assert purchases.repeated_days(handmade([*once, *once[1:]])) == []
    amounts = np.arange(20.0)
    assert purchases.repeated_days(handmade([*once, *once], quantity=amounts)) == []


def test_on_a_day_of_few_lines_nothing_can_be_told():
    few = [(f"c{number}", 0) for number in range(4)]
    assert purchases.repeated_days(handmade([*few, *few])) == []
    assert purchases.repeated_days(handmade([*few, *few, *few])) == [dt.date(2026, 5, 31)]


def repeated_in(write_source, lines, toml=""):
    path = write_source(toml, transactions=lines)
    return purchases.repeated_days(load_region(str(path), "North"))


def ten_twice(**columns):
    """Return ten lines of one day, each twice, as text."""
    lines = pd.DataFrame({"customer_id": ["a", "b"] * 5, "bought_at": "2024-03-01 08:00"})
    lines["amount"] = range(1, 11)
    twice = pd.concat([lines, lines], ignore_index=True)
    return twice.assign(**columns).to_csv(index=False)


def test_lines_that_differ_in_a_column_of_the_file_stand_once(write_source):
    day = [dt.date(2024, 3, 1)]
    assert repeated_in(write_source, ten_twice()) == day
    assert repeated_in(write_source, ten_twice(receipt=range(20))) == []
    assert repeated_in(write_source, ten_twice(receipt=[*range(10)] * 2)) == day
    one_new = [*range(10), *range(9), 99]
    assert repeated_in(write_source, ten_twice(receipt=one_new)) == []


def test_lines_that_differ_before_their_words_are_translated_stand_once(write_source):
    toml = "as_of = 2024-12-31\n[transactions]\nfile = 'transactions.csv'\n[transactions.columns]\n"
    toml += "product = { column = 'product', values = { fuel = ['Diesel', 'Super'] } }\n"
    same, other = ["Diesel"] * 20, ["Diesel"] * 10 + ["Super"] * 10
    assert repeated_in(write_source, ten_twice(product=same), toml) == [dt.date(2024, 3, 1)]
    assert repeated_in(write_source, ten_twice(product=other), toml) == []


def test_what_a_region_keeps_says_the_same_of_its_days(write_source, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path))
    assert repeated_in(write_source, ten_twice(receipt=range(20))) == []
    assert repeated_in(write_source, ten_twice(receipt=range(20))) == []


def test_no_day_of_the_example_was_loaded_twice_until_one_is():
    tables = draw(World(), 200, 6)
    assert purchases.repeated_days(region_of(tables)) == []
    lines = tables["transactions"]
    day = lines[lines["bought_at"].dt.normalize() == pd.Timestamp("2025-03-14")]
    tables["transactions"] = pd.concat([lines, day], ignore_index=True)
    assert purchases.repeated_days(region_of(tables)) == [dt.date(2025, 3, 14)]


def test_a_station_that_was_loaded_twice_is_found_and_keeps_money_open():
    """Of four stations one stands twice: a fifth more, and no day of the region as a whole."""
    tables = draw(World(), 300, 6)
    lines = tables["transactions"]
    sizes = lines["station_id"].value_counts(normalize=True)
    again = lines[lines["station_id"] == sizes.index[0]]
    here = region_of(tables | {"transactions": pd.concat([lines, again], ignore_index=True)})
    found = purchases.repeated(here).sum()
    assert found["twice"] / found["lines"] == pytest.approx(
        2 * sizes.iloc[0] / (1 + sizes.iloc[0]), rel=0.05
    )
    verdict, _ = rehearsal.run("H12", here)
    (check,) = (each for each in verdict.checks if "loaded twice" in each.name)
    assert not check.passed
    assert purchases.repeated(region_of(tables))["twice"].sum() == 0


# --- published


def test_cdnow_history_is_the_published_one(shared, real_source):
    here = load_region(str(real_source("cdnow")), "cdnow")
    found = purchases.purchase_history(here, dt.date(1997, 1, 1), dt.date(1997, 9, 30))
    published = pd.read_csv(shared / "cdnow" / "summary.csv")
    assert found["frequency"].tolist() == published["x"].tolist()
    for ours, theirs in (("recency_weeks", "t_x"), ("age_weeks", "T"), ("mean_amount", "zbar")):
        assert found[ours].to_numpy() == pytest.approx(published[theirs].to_numpy(), abs=0.0051)
    fit = purchase_models.fit_buying(found, "bg")
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)
