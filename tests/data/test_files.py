import pandas as pd
import pytest

from analysis.data.files import csv_safe, whole, write_text


def test_a_file_that_could_not_be_written_to_its_end_is_not_there(tmp_path):
    write_text(tmp_path / "page.html", "old\n")
    with pytest.raises(RuntimeError), whole(tmp_path / "page.html") as draft:
        draft.write_text("half of the n")
        raise RuntimeError("the disk is full")
    assert (tmp_path / "page.html").read_bytes() == b"old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    write_text(tmp_path / "page.html", "old\n")
    write_text(tmp_path / "page.html", "new\n新\n")
    assert (tmp_path / "page.html").read_bytes() == "new\n新\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_could_be_a_formula_has_an_apostrophe(value):
    for kind in ("object", "str", "category"):
        found = csv_safe(pd.DataFrame({"id": [value, "X-1"]}).astype(kind))
        assert found["id"].tolist() == [f"'{value}", "X-1"]


def test_what_is_no_text_stays_as_it_is():
    table = pd.DataFrame(
        {
            "n": pd.array([-1, None], "Int64"),
            "share": [-0.5, float("nan")],
            "known": [True, False],
            "day": pd.to_datetime(["2026-01-01", None]),
            "mixed": pd.Series([-1, None], dtype=object),
            "segment": ["车队", ""],
        }
    )
    pd.testing.assert_frame_equal(csv_safe(table), table)
    pd.testing.assert_frame_equal(csv_safe(table.iloc[:0]), table.iloc[:0])


def test_beside_a_formula_numbers_stay_numbers():
    mixed = pd.DataFrame({"id": pd.Series([-1, "=1", None], dtype=object)})
    assert csv_safe(mixed)["id"].tolist() == [-1, "'=1", None]
