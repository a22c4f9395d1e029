import pytest

from analysis.files import whole, write_text


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
