"""Days and moments as people and machines write them, in the time of the source."""

import datetime as dt

import pandas as pd
import pytest
from messy import CUSTOMERS, HEAD, LINES, excel, opened, parquet

FORMATS = {  # keys of the source, format: texts, and what they are
    ("", ""): {
        "2024-03-05": "2024-03-05 00:00:00",
        "2024年3月5日": "2024-03-05 00:00:00",
        "2024年03月05日08:30": "2024-03-05 08:30:00",
        "2024年3月5日 8时30分": "2024-03-05 08:30:00",
        "2024年3月5日 8点30分05秒": "2024-03-05 08:30:05",
        "2024年13月5日": None,
        "05.03.2024": None,
        "20240305": None,
        "45356": None,
    },
    ("", '["%d.%m.%Y", "%Y-%m-%d", "%Y%m%d", "excel"]'): {
        "05.03.2024": "2024-03-05 00:00:00",
        "2024-03-06": "2024-03-06 00:00:00",
        "20240307": "2024-03-07 00:00:00",
        "45359": "2024-03-08 00:00:00",
        "45359.354166666664": "2024-03-08 08:30:00",
        "60": None,  # a 29 February 1900 that never was
        "03/04/2024": None,
        "nan": None,
        "1e300": None,
    },
    ('timezone = "Asia/Shanghai"\n', '"unix"'): {
        "1709596800": "2024-03-05 08:00:00",
        "1709596800.5": "2024-03-05 08:00:00.500000",
        "1709596800000": None,  # milliseconds: in no year of ours
        "1709596800000000": None,
        "inf": None,
    },
    ('timezone = "America/New_York"\n', '"unix_ms"'): {"1709596800000": "2024-03-04 19:00:00"},
}


@pytest.mark.parametrize("keys", FORMATS)
def test_days_as_people_and_machines_write_them(tmp_path, keys):
    texts = FORMATS[keys]
    lines = "".join(f"a,{text},{i}\n" for i, text in enumerate(texts))
    own = f'bought_at = {{ column = "bought_at", format = {keys[1]} }}\n' if keys[1] else ""
    toml = f"{keys[0]}{CUSTOMERS}{LINES}[transactions.columns]\n{own}"
    own = opened(tmp_path, toml, {"t.csv": f"{HEAD}\n{lines}"})
    found = dict(own.rows("amount", "bought_at"))
    assert [found.get(i) for i in range(len(texts))] == list(texts.values())
    assert sum(each[1] for each in own.problems) == sum(each is None for each in texts.values())
    if not keys[1]:
        assert any("'20240305'" in each[-1] and "%Y%m%d" in each[2] for each in own.problems)


def test_a_sheet_s_days_beside_its_hours_are_moments(tmp_path):
    lines = {"customer_id": ["a"], "D": pd.to_datetime(["2025-01-02"]), "Z": [dt.time(8, 30)]}
    own = 'bought_at = { columns = ["D", "Z"], format = "%d.%m.%Y %H:%M" }\n'
    toml = f'{CUSTOMERS}[transactions]\nfile = "t.xlsx"\n[transactions.columns]\n{own}'
    own = opened(tmp_path, toml, {"t.xlsx": excel(A=lines | {"amount": [1]})})
    assert own.rows("bought_at") == [("2025-01-02 08:30:00",)]


@pytest.mark.parametrize("is_text", [True, False])
def test_an_hour_that_happens_twice_keeps_both_of_its_purchases(tmp_path, is_text):
    """On 26 October 2025 clocks in Berlin showed 02:30 at 00:30 and again at 01:30 UTC."""
    moments = ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z", "2025-10-25T22:30:00Z"]
    lines = {"customer_id": ["a"] * 3, "bought_at": moments, "amount": [5.0, 5.0, 7.0]}
    name = "t.csv" if is_text else "t.parquet"
    text = pd.DataFrame(lines).to_csv(index=False)
    zoned = parquet(**lines | {"bought_at": pd.to_datetime(moments)})
    toml = f'timezone = "Europe/Berlin"\n{CUSTOMERS}[transactions]\nfile = "{name}"\n'
    own = opened(tmp_path, toml, {name: text if is_text else zoned})
    assert own.rows("amount", "bought_at") == [
        (5, "2025-10-26 02:30:00"),
        (5, "2025-10-26 02:30:00"),
        (7, "2025-10-26 00:30:00"),
    ]


def test_moments_without_a_zone_stay_in_an_hour_that_never_was(tmp_path):
    lines = f"{HEAD}\na,2025-03-30 02:30,1\n"  # clocks in Berlin went from 2 to 3
    toml = f'timezone = "Europe/Berlin"\n{CUSTOMERS}{LINES}'
    assert opened(tmp_path, toml, {"t.csv": lines}).rows("bought_at") == [("2025-03-30 02:30:00",)]


@pytest.mark.parametrize("text", ["2025-03-30T02:30:00Z", "1743301800"])
def test_a_moment_with_a_zone_needs_to_know_whose_days_count(tmp_path, text):
    own = 'bought_at = { column = "bought_at", format = "unix" }\n' if "T" not in text else ""
    toml = f"{CUSTOMERS}{LINES}[transactions.columns]\n{own}"
    own = opened(tmp_path, toml, {"t.csv": f"{HEAD}\na,{text},1\n"})
    assert "expected a key such as timezone = 'Asia/Shanghai'" in own.why
