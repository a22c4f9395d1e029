"""Countries and time zones that a source names."""

from __future__ import annotations

from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

from analysis.data.errors import DataError, nearest


def check_calendar(country: str) -> str:
    """Return the code of a country, or of a part of it as in "DE-BY", if its holidays are known.

    Parameters
    ----------
    country : str
        ISO 3166 code: two letters, and for a part of the country a hyphen and the part's code.

    Raises
    ------
    DataError
        If the code is unknown; the message names the nearest.
    """
    import holidays  # these take a moment, and few commands read a source
    from holidays.registry import COUNTRIES

    code, _, part = country.partition("-")
    codes = sorted(names[1] for names in COUNTRIES.values())
    if code not in codes:
        meant = {name.lower(): names[1] for names in COUNTRIES.values() for name in names}
        near = nearest(meant.get(code.lower(), code.upper()), codes)
        raise DataError(f"calendar = {country!r}: no country has the code {code!r}.{near}")
    entity = getattr(holidays, code)
    parts = [*entity.subdivisions, *entity.subdivisions_aliases]
    if part not in parts and country != code:
        near = nearest(country, [f"{code}-{each}" for each in parts])
        raise DataError(f"calendar = {country!r}: {code} has no part {part!r}.{near}")
    return country


def check_timezone(name: str) -> str:
    """Return the name of a time zone, if the time zone database and the engine know it.

    Parameters
    ----------
    name : str
        Such as "Asia/Shanghai".

    Raises
    ------
    DataError
        If the zone is unknown; the message names the nearest.
    """
    import duckdb

    with duckdb.connect() as engine:
        known = {row[0] for row in engine.sql("select name from pg_timezone_names()").fetchall()}
    zones = sorted((available_timezones() & known) - {"Factory", "localtime", "posixrules"})
    if name not in zones:
        named = [zone for zone in zones if not zone.startswith("Etc/")]  # Etc/GMT+8 is UTC-8
        cities = {zone.rpartition("/")[2]: zone for zone in named} | {"Beijing": "Asia/Shanghai"}
        city = name.rpartition("/")[2].replace(" ", "_").title()
        like = get_close_matches(city, cities, 1, 0.85)
        near = nearest(cities[like[0]] if like else name, named)
        if "Did you mean" not in near:  # there are hundreds
            near = " Expected one such as 'Asia/Shanghai'."
        raise DataError(f"timezone = {name!r}: no time zone has this name.{near}")
    return name


@lru_cache(maxsize=16)
def timezone_of(calendar: str) -> str | None:
    """Return the time zone of a country; None where its clocks have differed since 1990.

    Parameters
    ----------
    calendar : str
        As in `check_calendar`.

    Notes
    -----
    The zones are those of zone.tab in the time zone database. China has one legal time; the
    database also lists the unofficial one of Xinjiang.
    """
    code = calendar.partition("-")[0]
    if code == "CN":
        return "Asia/Shanghai"
    lines = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines()
    zones = [line.split("\t")[2] for line in lines if line.startswith(f"{code}\t")]
    days = [
        datetime(year, month, day)
        for year in range(1990, date.today().year + 1)
        for month in range(1, 13)
        for day in (1, 15)
    ]
    clocks = {tuple(ZoneInfo(zone).utcoffset(day) for day in days) for zone in zones}
    return zones[0] if len(clocks) == 1 else None
