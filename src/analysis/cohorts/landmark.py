"""Cohorts of customers: covariates before, and outcomes after, a day; the landmark of all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.cohorts import purchases
from analysis.data.cache import per_region
from analysis.data.region import Region
from analysis.language import text
from analysis.statistics import weighting
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.measurement import scales
from analysis.statistics.regression.controls import UNKNOWN
from analysis.statistics.regression.models import contrast, ols

YEAR, HALF_YEAR, QUARTER, FOUR_WEEKS = 364, 182, 91, 28
MONTH = 365.25 / 12  # of what is told by the month
"""Days; a year of 52 weeks has each day of the week equally often."""
GROUPS = ("under 6", "6 to 7.5", "7.5 to 9", "9 or more")


@dataclass(frozen=True, repr=False)
class Customers:
    """A region's customers on the landmark, as the notebooks on value use them; see `customers`."""

    day: dt.date
    """The landmark: 52 weeks before the end of the data."""
    people: pd.DataFrame
    """Customers who had joined by then, as from `table`, with satisfaction (index of their latest
    answer in the quarter before the landmark, 1 to 10; missing where not asked) and answer_weight
    (of that answer)."""
    worth: str
    currency: str
    """What a customer is worth ("margin" or "sales"), and in which currency."""

    @property
    def asked(self) -> pd.DataFrame:
        """Those of them with a satisfaction, and the weights of their answers."""
        return weighting.of_those_asked(self.people.dropna(subset=["satisfaction"]))

    @property
    def summary(self) -> str:
        """What a customer is worth, and in which currency."""
        if self.worth == "margin":
            return text(
                "What a customer is worth is their **margin**, in {currency}.",
                currency=self.currency,
            )
        return text(
            "What a customer is worth is their **sales**, in {currency}. The source does not say "
            "what the goods cost.",
            currency=self.currency,
        )


@per_region
def customers(region: Region) -> Customers:
    """Return what was known of each customer on the landmark, and what came in the year after it.

    Raises
    ------
    NotEstimable
        If there are no purchases.
    """
    if not region.days:
        raise NotEstimable(text("There are no purchases."))
    day = landmark(region)
    people = table(region, day)
    answers = region.answers(until=day)
    is_recent = answers["answered_on"] > pd.Timestamp(day) - pd.Timedelta(days=QUARTER)
    people["satisfaction"] = scales.index(answers[is_recent], "satisfaction")
    people[weighting.OF_ANSWER] = answers.loc[is_recent, weighting.COLUMN]
    return Customers(day, people, worth(region), region.source.currency)


def landmark(region: Region) -> dt.date:
    """Return the day that is exactly one year of 52 weeks before the end of the data."""
    return region.end - dt.timedelta(days=YEAR)


def worth(region: Region) -> str:
    """Return what a customer is worth here: "margin", or "sales" where costs are not known."""
    return "margin" if "transactions.cost" in region.columns else "sales"


def table(region: Region, day: dt.date) -> pd.DataFrame:
    """Return what `observe` says of a landmark, for all customers who had joined by then.

    The landmark belongs to the past; a year of 52 weeks must follow it.
    """
    everybody = pd.Index(region.customers["customer_id"])
    observed = observe(region, pd.Series(pd.Timestamp(day), everybody))
    return observed[observed["tenure_days"] >= 0]


def observe(region: Region, own_day: pd.Series, gap: int = 0) -> pd.DataFrame:
    """Return covariates before, and outcomes after, a day of each customer's own.

    Nothing after `own_day` (by customer_id) is in the covariates, and nothing on it, if `gap` is 1.
    By customer_id, in the order of the region's customers; without those of whom it is not known
    when they joined.

    Baseline: own_day, segment, area, tenure_days, log_tenure (log of 1 + years); visits_before,
    sales_before, value_before (52 weeks), log_visits (log of 1 + visits), log_value and log_fuel
    (log of the amount, and of that of fuel, over its mean: free of the currency), beyond_before
    (bought beyond fuel); sales_first, sales_second (the two quarters before), active (1 if bought
    in the later one), trend (log of its visits over those of the other); pace (sales a week, over
    the weeks of the year in which they were customers).

    Follow-up: visits_soon (4 weeks), visits_half (26 weeks), visits_after, value_after,
    sales_after, fuel_value_after (52 weeks), retained (1 if bought in the last quarter of these).
    Values are `worth`, in the source's currency.
    """
    spans = {
        "before": (1 - YEAR - gap, -gap),
        "first": (1 - 2 * QUARTER - gap, -QUARTER - gap),
        "second": (1 - QUARTER - gap, -gap),
        "soon": (1, FOUR_WEEKS),
        "half": (1, HALF_YEAR),
        "after": (1, YEAR),
        "last": (YEAR - QUARTER + 1, YEAR),
    }
    people = traits(region).join(own_day.rename("own_day"), how="inner")
    bought, value = purchases.around(region, people["own_day"], spans), worth(region)
    visits = {name: bought[f"visits_{name}"] for name in spans}
    tenure = (people["own_day"] - people.pop("joined_on")).dt.days
    observed = (people["own_day"] - pd.Timestamp(region.start)).dt.days.clip(upper=YEAR)
    week = purchases.DAYS_IN_WEEK
    people = people.assign(
        tenure_days=tenure,
        log_tenure=log_years(tenure),
        visits_before=visits["before"],
        sales_before=bought["sales_before"],
        value_before=bought[f"{value}_before"],
        log_visits=np.log1p(visits["before"]),
        log_value=log_of_mean(bought[f"{value}_before"]),
        sales_first=bought["sales_first"],
        sales_second=bought["sales_second"],
        active=(visits["second"] > 0).astype(float),
        trend=np.log1p(visits["second"]) - np.log1p(visits["first"]),
        pace=bought["sales_before"] / np.minimum(tenure, observed).clip(lower=week) * week,
        visits_soon=visits["soon"],
        visits_half=visits["half"],
        visits_after=visits["after"],
        value_after=bought[f"{value}_after"],
        sales_after=bought["sales_after"],
        retained=(visits["last"] > 0).astype(float),
    )
    if "fuel_sales_before" in bought:
        people = people.assign(
            beyond_before=bought["beyond_fuel_before"],
            log_fuel=log_of_mean(bought["fuel_sales_before"]),
            fuel_value_after=bought[f"fuel_{value}_after"],
        )
    return people.dropna(subset="tenure_days")


def opinions(region: Region, own_day: pd.Series) -> pd.DataFrame:
    """Return satisfaction and loyalty from the latest answers before a day of each customer's own.

    Returns
    -------
    DataFrame
        Indexed as `own_day` (by customer_id): satisfaction and loyalty, indices from 1 to 10 of
        answers before that day, and answer_weight; missing where not asked.
    """
    rows = region.survey.sort_values("answered_on", kind="stable")
    earlier = rows["answered_on"] < own_day.reindex(rows["customer_id"]).to_numpy()
    latest = rows[earlier].groupby("customer_id").tail(1).set_index("customer_id")
    scores = {name: scales.index(latest, name) for name in ("satisfaction", "loyalty")}
    scores[weighting.OF_ANSWER] = latest[weighting.COLUMN]
    return pd.DataFrame(scores).reindex(own_day.index)


def satisfaction_groups(satisfaction: pd.Series) -> pd.Series:
    """Sort satisfaction indices into four groups; "9 or more" is the top box."""
    return pd.cut(satisfaction, [0, 6, 7.5, 9, 11], right=False, labels=list(GROUPS))


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
            raise NotEstimable(text(
                "{n} customer is {group}; 2 are needed.",
                "{n} customers are {group}; 2 are needed.",
                n=sizes.get(name, 0), group=name,
            ))  # fmt: skip
    mean = rows[outcome].mean()
    if mean <= 0:
        raise NotEstimable(text(
            "The mean of {customers:,} customers is {mean:amount}, of which no share is.",
            customers=len(rows), mean=mean,
        ))  # fmt: skip
    data = pd.DataFrame({"y": rows[outcome] / mean, "g": rows[group].astype(str)})
    fit = ols("y ~ 0 + g", data)
    means, shares = data.groupby("g")["y"].mean(), data["g"].value_counts(normalize=True)
    ratio = means[first] - means[second]
    weights = {f"g[{name}]": -ratio * shares[name] for name in means.index}
    weights[f"g[{first}]"] += 1
    weights[f"g[{second}]"] -= 1
    error = contrast(fit, weights).se
    method = text("difference of means, HC3")
    return from_se(ratio, error, len(data), df=fit.df_resid, method=method)


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
    if not region.days or people["joined_on"].notna().all():
        return people
    first = purchases.per_customer(region, region.start, region.end)["first_on"]
    return people.assign(joined_on=people["joined_on"].fillna(first))


def log_years(days: pd.Series) -> pd.Series:
    """Return the log of 1 + years as a customer; a day before joining counts as none."""
    return np.log1p(days.clip(lower=0) / 365.25)


def log_of_mean(amounts: pd.Series) -> pd.Series:
    """Return the log of amounts as multiples of their mean, nothing and losses as 0.001."""
    amounts = amounts.clip(lower=0)
    return np.log(amounts / amounts.mean() + 0.001) if amounts.mean() > 0 else amounts * 0.0


def share_lost(values: pd.Series, groups: pd.Series | None = None) -> float:
    """Return what customers lost as a share of what others gained, where it is largest by group.

    So much of the money is left out where losses are taken as 0; a count of customers does not
    tell, since a few large ones may lose more than all others bring.
    """
    groups = pd.Series(0, values.index) if groups is None else groups
    lost, gained = (each.clip(lower=0).groupby(groups).sum() for each in (-values, values))
    return float((lost[lost > 0] / gained).max()) if (lost > 0).any() else 0.0
