"""What is known of each customer on one day, and what he did in the time after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.cohorts import purchases
from analysis.data.region import Region
from analysis.statistics.estimate import Estimate, NotEstimable, from_se
from analysis.statistics.measurement import scales
from analysis.statistics.regression.models import Fit, contrast, ols, poisson_rate

YEAR, HALF_YEAR, QUARTER = 364, 182, 91
LEAST = 5
"""Customers that a category needs, and a control that most customers have alike."""
UNKNOWN = "unknown"
"""Segment or area of customers of whom it is not recorded."""
OTHERS, AND_OTHERS = "others", " and others"
"""Several categories of few customers, held together; "fleet and others" is a large one too."""
IN_WORDS = {
    "active": "buying in the quarter before",
    "kind": "kind of case",
    "landmark": "the day of the forecast",
    "log_fuel": "fuel sales before",
    "log_pace": "sales a week before",
    "log_rate": "visits a week before",
    "log_sales": "sales before",
    "log_value": "what customers brought before",
    "log_visits": "visits before",
    "prior": "satisfaction before",
    "prior_known": "whether asked before",
    "tenure_bend": "a bend in tenure",
    "tier": "class of customer",
    "trend": "trend of visits before",
}
"""What the reader calls the columns that are controlled for, where the name does not say it."""
GROUPS = ("under 6", "6 to 7.5", "7.5 to 9", "9 or more")


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


def controls(frame: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the formula's terms of those controls that are known, differ and say something new.

    Parameters
    ----------
    frame : DataFrame
        The customers of a model.
    names : sequence of str
        Columns; text becomes a category. One that the earlier ones determine is left out, and
        one by which fewer than `LEAST` customers differ from the others: they would decide it.
        Where rows were dropped after `without_rare`, it must come once more before this.
    """
    return [
        name if pd.api.types.is_numeric_dtype(frame[name]) else f"C({name})"
        for name, reason in _left_out(frame, names).items()
        if not reason
    ]


def controls_in_words(
    frame: pd.DataFrame, names: Sequence[str], covariates: pd.DataFrame | None = None
) -> str:
    """Say what a model is adjusted for, and what is left out, with the reason.

    Parameters
    ----------
    frame : DataFrame
        The customers of the model, as given to `controls` or `design`.
    names : sequence of str
        Columns, as given to `controls` or `design`.
    covariates : DataFrame, optional
        What is left of `design` after `causal.independent`, where that was used.

    Returns
    -------
    str
        Such as "adjusted for segment and tenure; left out: area (the same for all)".
    """
    reasons = _left_out(frame, names)
    if covariates is not None:
        for name in (each for each, reason in reasons.items() if not reason):
            if not any(str(c) == name or str(c).startswith(f"{name}_") for c in covariates):
                reasons[name] = "determined by the others in one of the groups"
    used = [in_words(name) for name, reason in reasons.items() if not reason]
    left = [f"{in_words(name)} ({reason})" for name, reason in reasons.items() if reason]
    said = f"adjusted for {_enumerated(used)}" if used else "not adjusted"
    if not left:
        return said if used else "not adjusted for anything"
    return f"{said}; left out: {', '.join(left)}" if used else f"{said}: {', '.join(left)}"


def without_rare(
    frame: pd.DataFrame, names: tuple[str, ...], arms: pd.Series | None = None, least: int = LEAST
) -> pd.DataFrame:
    """Put categories of few customers together.

    A category of one customer would decide its own coefficient, and leave no error to judge
    by; those of `least` or more are kept apart, because merging large ones costs precision. The
    small ones become one category, `OTHERS`; where that is still too small, they join the
    largest, whose name says so. To be called after the last row was left out.

    Parameters
    ----------
    frame : DataFrame
        One row per customer.
    names : tuple of str
        Columns with categories.
    arms : Series, optional
        Groups that are compared: a category must have `least` customers in each.
    least : int
        Customers that a category needs.
    """
    groups = pd.Series(0, index=frame.index) if arms is None else arms
    return frame.assign(**{name: _merged(frame[name], groups, least) for name in names})


def design(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return the usable controls as numbers, categories as 0 and 1."""
    usable = [term.removeprefix("C(").removesuffix(")") for term in controls(frame, names)]
    if not usable:
        return pd.DataFrame(index=frame.index)
    wide = pd.get_dummies(frame[usable], drop_first=True, dtype=float)
    return wide.loc[:, wide.nunique() > 1]


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


def _merged(values: pd.Series, groups: pd.Series, least: int) -> pd.Series:
    """Return categories, the rare ones of them together or with the largest."""
    plain = values.astype(object)
    sizes = plain.map(pd.crosstab(plain, groups).min(axis=1))
    if not (sizes < least).any() or plain.nunique() < 2:
        return values
    values = plain
    small = (sizes < least) | (values == OTHERS)
    enough = pd.crosstab(small, groups).loc[True].min() >= least
    if enough and not small[values.notna()].all():
        return values.mask(small, OTHERS)
    largest = values.mode().iloc[0]
    together = f"{str(largest).removesuffix(AND_OTHERS)}{AND_OTHERS}"
    return values.mask(small | (values == largest), together)


def _left_out(frame: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Return for each control why it is left out; an empty text where it is not."""
    reasons, columns = {}, np.ones((len(frame), 1))
    for name in names:
        values = frame[name] if name in frame else pd.Series(UNKNOWN, frame.index, dtype=object)
        is_number = pd.api.types.is_numeric_dtype(values)
        reasons[name] = _unusable(values, is_number)
        if reasons[name]:
            continue
        wide = values if is_number else pd.get_dummies(values.astype(str), drop_first=True)
        new = wide.to_numpy(float).reshape(len(values), -1)
        together = np.column_stack([columns, new / np.abs(new).max(axis=0)])
        if np.linalg.matrix_rank(together) < together.shape[1]:
            reasons[name] = "determined by the others"
        else:
            columns = together
    return reasons


def _unusable(values: pd.Series, is_number: bool) -> str:
    """Return why a column alone can't be controlled for; an empty text if it can."""
    missing = int(values.isna().sum())
    if missing == len(values) or (values == UNKNOWN).all():
        return "not recorded"
    if missing:
        return f"missing for {missing:,} of {len(values):,}"
    infinite = int(np.isinf(values.to_numpy(float)).sum()) if is_number else 0
    if infinite:
        return f"infinite for {infinite:,} of {len(values):,}"
    if values.nunique() < 2:
        is_merged = str(values.iloc[0]).endswith(OTHERS)
        return "too few in some of its groups to hold apart" if is_merged else "the same for all"
    few = _smallest(values, is_number)
    if few >= LEAST:
        return ""
    return f"fewer than {LEAST} differ" if is_number else f"only {few} in its rarest group"


def _enumerated(words: Sequence[str]) -> str:
    """Return words as "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def in_words(name: str) -> str:
    """Return what the reader calls a column, or a formula's term of it."""
    name = name.removeprefix("C(").removesuffix(")").removeprefix("z_")
    return IN_WORDS.get(name, name.removeprefix("log_").replace("_", " "))


def _smallest(values: pd.Series, is_number: bool) -> int:
    """Return the customers of the rarest category, or those who differ from the usual number."""
    counts = (values if is_number else values.astype(str)).value_counts()
    return int(len(values) - counts.iloc[0] if is_number else counts.iloc[-1])


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
