"""What is known of each customer on one day, and what he did in the time after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import per_region, purchases
from analysis.data.region import Region
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.measurement import scales
from analysis.statistics.regression.controls import (  # noqa: F401
    UNKNOWN,
    controls,
    controls_in_words,
    design,
    without_rare,
)
from analysis.statistics.regression.models import Fit, contrast, ols, poisson_rate

YEAR, HALF_YEAR, QUARTER = 364, 182, 91
GROUPS = ("under 6", "6 to 7.5", "7.5 to 9", "9 or more")


@dataclass(frozen=True, repr=False)
class Customers:
    """A region's customers on the landmark, as the notebooks on value use them; see `customers`.

    Attributes
    ----------
    day : date
        The landmark: 52 weeks before the end of the data.
    people : DataFrame
        Customers who had joined by then, as from `table`, with satisfaction (index of their latest
        answer in the quarter before the landmark, 1 to 10; missing where not asked).
    worth, currency : str
        What a customer is worth ("margin" or "sales"), and in which currency.
    """

    day: dt.date
    people: pd.DataFrame
    worth: str
    currency: str

    @property
    def summary(self) -> str:
        """What a customer is worth, and in which currency."""
        costs = "" if self.worth == "margin" else " The source does not say what the goods cost."
        return f"What a customer is worth is their **{self.worth}**, in {self.currency}.{costs}"


@per_region
def customers(region: Region) -> Customers:
    """Return what was known of each customer on the landmark, and what came in the year after it.

    Raises
    ------
    NotEstimable
        If there are no purchases.
    """
    if not region.days:
        raise NotEstimable("There are no purchases.")
    day = landmark(region)
    people = table(region, day)
    people["satisfaction"] = satisfaction(region, day)
    return Customers(day, people, worth(region), region.source.currency)


def landmark(region: Region) -> dt.date:
    """Return the day that is exactly one year of 52 weeks before the end of the data."""
    return region.end - dt.timedelta(days=YEAR)


def worth(region: Region) -> str:
    """Return what a customer is worth here: "margin", or "sales" where costs are not known."""
    return "margin" if "transactions.cost" in region.columns else "sales"


def table(region: Region, day: dt.date) -> pd.DataFrame:
    """Put together what is known on a day and what came in the year after it.

    Parameters
    ----------
    region : Region
        The data; a year of 52 weeks must follow `day`.
    day : date
        The landmark: nothing after it is in the columns that describe the past.

    Returns
    -------
    DataFrame
        Customers who had joined by then, indexed by customer_id. Past: segment, area,
        tenure_days, log_tenure (log of 1 + years), visits_before, sales_before,
        value_before (52 weeks; log_visits is the log of 1 + visits, log_value and log_fuel,
        of fuel sales, that of the amount over its mean, free of the currency),
        sales_first, sales_second (the two quarters before), active (1 if bought in the
        quarter before), beyond_before. After: visits_half (26 weeks), visits_after,
        value_after, sales_after, fuel_value_after (52 weeks), retained (bought in the last
        quarter of the year). Values are `worth`, in the source's currency.
    """
    people = _known(region, day)
    found = people.join(_past(region, day)).join(_after(region, day))
    return found[found["tenure_days"] >= 0]


def satisfaction(region: Region, day: dt.date, days: int = QUARTER) -> pd.Series:
    """Return each customer's satisfaction index, from answers of the days before a landmark.

    Returns
    -------
    Series
        Mean of the satisfaction items, 1 to 10, by customer_id; customers with a score.
    """
    answers = region.answers(until=day)
    recent = answers[answers["answered_on"] > pd.Timestamp(day) - pd.Timedelta(days=days)]
    return scales.index(recent, "satisfaction").dropna()


def opinions(region: Region, own_day: pd.Series) -> pd.DataFrame:
    """Return satisfaction and loyalty from the latest answers before a day of each customer's own.

    Parameters
    ----------
    region : Region
        The data.
    own_day : Series of datetime, by customer_id
        Answers of that day and later ones are not known.

    Returns
    -------
    DataFrame
        Indexed as `own_day`: satisfaction and loyalty (indices from 1 to 10; missing where not
        asked).
    """
    rows = region.survey.sort_values("answered_on", kind="stable")
    earlier = rows["answered_on"] < own_day.reindex(rows["customer_id"]).to_numpy()
    latest = rows[earlier].groupby("customer_id").tail(1).set_index("customer_id")
    scores = {name: scales.index(latest, name) for name in ("satisfaction", "loyalty")}
    return pd.DataFrame(scores).reindex(own_day.index)


def satisfaction_groups(satisfaction: pd.Series) -> pd.Series:
    """Sort satisfaction indices into four groups; "9 or more" is the top box."""
    return pd.cut(satisfaction, [0, 6, 7.5, 9, 11], right=False, labels=list(GROUPS))


def top_box_ratios(
    frame: pd.DataFrame, outcome: str, controls: list[str]
) -> tuple[Fit, dict[str, Estimate]]:
    """Compare visit rates of the most satisfied with each other group's.

    Parameters
    ----------
    frame : DataFrame
        One row per customer, with a column `group` from `satisfaction_groups`; customers
        without a group are left out.
    outcome : str
        Column of counts.
    controls : list of str
        Terms of the formula, as from `controls`.

    Returns
    -------
    fit : Fit
        Poisson regression of the counts on the groups, HC3.
    ratios : dict of str to Estimate
        "all others" first (from a regression on the top box alone), then each group.
        Intervals use t with the top group's size less 1, where that is small.

    Raises
    ------
    NotEstimable
        If the top group, or all others together, have fewer than 2 customers; and as
        `models.robust_glm` and `models.contrast`.
    """
    top, frame = GROUPS[-1], frame.dropna(subset="group")
    in_top = int((frame["group"] == top).sum())
    if min(in_top, len(frame) - in_top) < 2:
        raise NotEstimable(
            f"{in_top:,} of {len(frame):,} customers with a satisfaction index are in the group "
            f'"{top}"; 2 in it and 2 others are needed.'
        )
    data = frame.assign(top=(frame["group"] == top).astype(float), group=frame["group"].astype(str))
    groups = f"C(group, Treatment('{top}'))"
    fit = poisson_rate(" + ".join([f"{outcome} ~ {groups}", *controls]), data)
    rest = poisson_rate(" + ".join([f"{outcome} ~ top", *controls]), data)
    df = min(fit.df, data["top"].sum() - 1)
    ratios = {"all others": contrast(rest, "top", df=df)}
    for name in (each for each in GROUPS[:-1] if (data["group"] == each).any()):
        ratios[name] = contrast(fit, {f"{groups}[T.{name}]": -1}, df=df)
    return fit, ratios


def share_of_mean(
    frame: pd.DataFrame, outcome: str, group: str, first: str, second: str
) -> Estimate:
    """Estimate how much more one group's mean is than another's, as a share of all's mean.

    The overall mean is estimated too, and its error counts (delta method, HC3).

    Parameters
    ----------
    frame : DataFrame
        One row per customer.
    outcome, group : str
        Columns: what is averaged, and the groups.
    first, second : str
        The groups to compare.

    Raises
    ------
    NotEstimable
        If a group has fewer than 2 customers, the overall mean is 0 or less, or nothing differs.
    """
    rows = frame[[outcome, group]].dropna().astype({outcome: float})
    sizes = rows[group].astype(str).value_counts()
    for name in (first, second):
        if sizes.get(name, 0) < 2:
            some = "1 customer is" if sizes.get(name, 0) == 1 else "0 customers are"
            raise NotEstimable(f"{some} {name}; 2 are needed.")
    mean = rows[outcome].mean()
    if mean <= 0:
        raise NotEstimable(
            f"The mean of {len(rows):,} customers is {mean:,.0f}, of which no share is."
        )
    data = pd.DataFrame({"y": rows[outcome] / mean, "g": rows[group].astype(str)})
    fit = ols("y ~ 0 + g", data)
    means, shares = data.groupby("g")["y"].mean(), data["g"].value_counts(normalize=True)
    ratio = means[first] - means[second]
    weights = {f"g[{name}]": -ratio * shares[name] for name in means.index}
    weights[f"g[{first}]"] += 1
    weights[f"g[{second}]"] -= 1
    error = contrast(fit, weights).se
    return from_se(ratio, error, len(data), df=fit.df, method="difference of means, HC3")


def relative(effect: Estimate, mean: float) -> Estimate:
    """Return an effect as a share of a mean that is known much better than the effect."""
    return from_se(
        effect.estimate / mean, effect.se / mean, effect.n_obs, df=effect.df, method=effect.method
    )


def traits(region: Region) -> pd.DataFrame:
    """Return segment, area and the day of joining of every customer, by customer_id.

    Where the day of joining is not known, it is the day of the first purchase.
    """
    people = region.customers.set_index("customer_id")[["segment", "area", "joined_on"]]
    people = people.fillna({"segment": UNKNOWN, "area": UNKNOWN})
    if region.purchases is None or region.start is None:
        return people
    first = purchases.per_customer(region, region.start, region.end)["first_on"]
    return people.assign(joined_on=people["joined_on"].fillna(first))


def log_years(days: pd.Series) -> pd.Series:
    """Return the log of 1 + years as a customer; a day before joining counts as none."""
    return np.log1p(days.clip(lower=0) / 365.25)


def _known(region: Region, day: dt.date) -> pd.DataFrame:
    """Return segment, area and time as a customer on the landmark."""
    people = traits(region)
    people["tenure_days"] = (pd.Timestamp(day) - people.pop("joined_on")).dt.days
    people["log_tenure"] = log_years(people["tenure_days"])
    return people.dropna(subset=["tenure_days"])


def _past(region: Region, day: dt.date) -> pd.DataFrame:
    """Return the columns of the time up to the landmark."""
    year = _span(region, day, -YEAR, 0)
    first, second = _span(region, day, -2 * QUARTER, -QUARTER), _span(region, day, -QUARTER, 0)
    found = pd.DataFrame(
        {
            "visits_before": year["visits"],
            "sales_before": year["sales"],
            "value_before": year[worth(region)],
            "sales_first": first["sales"],
            "sales_second": second["sales"],
            "active": (second["visits"] > 0).astype(float),
        }
    )
    found["log_visits"] = np.log1p(found["visits_before"])
    found["log_value"] = log_of_mean(found["value_before"])
    if "beyond_fuel" in year:
        found["beyond_before"] = year["beyond_fuel"]
        found["log_fuel"] = log_of_mean(year["fuel_sales"])
    return found


def log_of_mean(amounts: pd.Series) -> pd.Series:
    """Return the log of amounts as multiples of their mean, nothing and losses as 0.001."""
    amounts = amounts.clip(lower=0)
    return np.log(amounts / amounts.mean() + 0.001) if amounts.mean() > 0 else amounts * 0.0


def _after(region: Region, day: dt.date) -> pd.DataFrame:
    """Return the columns of the year after the landmark."""
    year = _span(region, day, 0, YEAR)
    last = _span(region, day, YEAR - QUARTER, YEAR)
    found = pd.DataFrame(
        {
            "visits_half": _span(region, day, 0, HALF_YEAR)["visits"],
            "visits_after": year["visits"],
            "value_after": year[worth(region)],
            "sales_after": year["sales"],
            "retained": (last["visits"] > 0).astype(float),
        }
    )
    fuel = f"fuel_{worth(region)}"
    return found.assign(fuel_value_after=year[fuel]) if fuel in year else found


def _span(region: Region, day: dt.date, start: int, end: int) -> pd.DataFrame:
    """Add up purchases from `start` + 1 to `end` days after the landmark."""
    return purchases.per_customer(
        region, day + dt.timedelta(days=start + 1), day + dt.timedelta(days=end)
    )
