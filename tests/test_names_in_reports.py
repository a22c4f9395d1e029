"""A name that stands in every column of every table, and breaks every rule, is in no report."""

import pandas as pd
import pytest

from analysis.data.sources import ROOT
from tables import NAME, TEXTS, planted

pytestmark = pytest.mark.slow

NOTEBOOKS = ("data_profile", "across_regions", "cases", "segments_and_lifetime_value", "H03", "H08")
"""One of each kind: each shows what was left out, and why."""


def test_a_name_planted_everywhere_is_in_no_byte_of_the_reports(shell, write_source, tmp_path):
    sections = "".join(f"[{name}]\nfile = '{name}.csv'\n" for name in ("complaints", "contacts"))
    tables = {name: planted(text) for name, text in TEXTS.items()}
    region = (
        tables["customers"].replace(f"a,{NAME},", "a,North,").replace(f"{NAME},{NAME},", "x,S,")
    )
    path = write_source(sections, **tables | {"customers": region})
    words = [word for each in NOTEBOOKS for word in ("-n", each)]
    how = ("--reports", tmp_path / "reports", "-r", "North", "-j", "2")
    code, said = shell.workbook(ROOT / "notebooks", "run", "-s", path, *how, *words)
    assert code == 0, said
    files = [each for each in (tmp_path / "reports").rglob("*") if each.is_file()]
    read = {each.name: each.read_bytes() for each in files} | {"the terminal": said.encode()}
    for each in files:
        if each.suffix == ".parquet":
            read[each.name] = pd.read_parquet(each).to_csv().encode()
    assert {"index.html", "data_profile.html", "run.log", "history.parquet"} <= read.keys()
    assert b"Xxxxx Xxxxxxxxxx" in read["data_profile.html"]  # the shape of what stood there
    for name, content in read.items():
        for part in ("Erika", "Mustermann"):
            assert part.encode() not in content, name
