"""Data that tests share: small sources made on the spot, and real ones where they are."""

from pathlib import Path

import pytest

from analysis import sources

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

CUSTOMERS = """customer_id,region,segment,area,joined_on,card_since
a,North,private,urban,2024-01-05,
b,North,van,suburban,2023-11-01,2024-06-01
c,South,private,urban,2022-03-09,
"""
TRANSACTIONS = """customer_id,bought_at,station_id,product,quantity,amount,cost
a,2024-02-01 08:00,S1,fuel,40,300,270
a,2024-02-01 19:30,S1,shop,1,20,12
a,2024-03-15 10:00,S1,fuel,30,225,200
b,2024-02-20 18:00,S2,fuel,20,150,140
c,2024-04-01 09:00,S3,gas,100,400,350
"""
SURVEY = """customer_id,answered_on,satisfaction_1,satisfaction_2,satisfaction_3,channel,had_works
a,2024-03-01,7,8,9,online,true
b,2024-03-02,3,,4,phone,false
"""


@pytest.fixture
def shared():
    """The folder of real data beside the project; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared/data) is not on this machine")
    return SHARED


@pytest.fixture
def real_source(shared, tmp_path):
    """Return a function that puts a shipped TOML file beside its real data."""

    def place(name, folder=None):
        path = tmp_path / f"{name}.toml"
        path.write_bytes((sources.DATA / f"{name}.toml").read_bytes())
        (tmp_path / name).symlink_to(shared / (folder or name))
        return path

    return place


@pytest.fixture
def write_source(tmp_path):
    """Return a function that writes a source of small tables and returns its TOML file."""

    def write(toml="", **files):
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        tables = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "survey": SURVEY} | files
        for name, text in tables.items():
            if text is not None:
                (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        sections = "".join(
            f'[{name}]\nfile = "{name}.csv"\n'
            for name in tables
            if f"[{name}]" not in toml and name in ("customers", "transactions", "survey")
        )
        path = tmp_path / "small.toml"
        top, _, rest = toml.partition("[")
        settings = "as_of = 2024-12-31\nmax_set_aside = 1.0\n" if "as_of" not in top else ""
        path.write_text(
            f"{settings}{top}\n{'[' + rest if rest else ''}\n{sections}", encoding="utf-8"
        )
        return path

    return write
