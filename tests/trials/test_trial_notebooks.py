"""The notebooks on trials, in the pilot region: while a trial runs, and once it is over."""

import re
from unittest.mock import Mock, patch

import pandas as pd
import pytest

from analysis.claims.trials import plans
from analysis.data import sources
from analysis.figures import display
from simulation import pilot, rehearsal
from workbook import notebooks

ALL = {name: each for name, each in notebooks.discover().items() if each.theme == "trials"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The pilot as files, smaller than it is shipped, with its plans beside it."""
    folder = tmp_path_factory.mktemp("data")
    pilot.write_pilot(folder / "pilot", size=3_000)
    text = (sources.DATA / "pilot.toml").read_text(encoding="utf-8")
    (folder / "pilot.toml").write_text(text, encoding="utf-8")
    return folder / "pilot.toml"


def read(name, source, as_of=""):
    """Return what a reader of a notebook sees, and what its cells raised."""
    shown, given = [], {"region": pilot.REGION, "source": str(source), "as_of": as_of}
    given |= {"language": "en", "seed": 1}
    folder = source.parent / "plans"
    with patch.object(display, "display", shown.append), patch.object(plans, "FOLDER", folder):
        try:
            for value in rehearsal.perform(ALL[name].path, {}, given, loud=(display.__name__,)):
                if value is not None and not isinstance(value, Mock):
                    shown.append(value)
        except ValueError as why:  # NotEstimable: it ends a notebook
            shown.append(str(why))
    bundle = "_repr_mimebundle_"
    shown = [getattr(each, bundle)() if hasattr(each, bundle) else each for each in shown]
    texts = [each["text/markdown"] if isinstance(each, dict) else each for each in shown]
    texts = [getattr(each, "data", each) for each in texts]
    return re.sub(r"<[^>]+>|\s+", " ", " ".join(map(str, texts)))


def test_the_example_s_trials_are_decided(source):
    said = read("card_offered_by_lot", source)
    assert re.search(r"By trial: \*\*(Supported|Contradicted)", said), said
    assert "the plan as it was registered: yes" in said.lower()
    assert "not offered" in said


def test_while_a_trial_runs_its_page_has_no_outcome(source):
    said = read("card_offered_by_lot", source, as_of="2025-12-31")
    assert "The trial runs" in said
    assert "Recruitment and safety" in said
    assert "By trial" not in said


def test_before_the_lot_there_is_nothing_to_read(source):
    assert "Nobody was drawn by lot here" in read("explained_by_lot", source, as_of="2025-06-30")


def test_a_plan_is_tried_out_and_not_registered(source):
    said = read("trial_plan", source)
    assert re.search(r"For 80% power [\d,]+ units are needed", said), said
    assert pd.read_csv(source.parent / "plans" / "pilot" / plans.REGISTERED)["trial"].nunique() == 2


def test_they_run_where_lots_were_drawn():
    every = notebooks.find_all()
    there = notebooks.of_tables(every, ["customers", "assignments"])
    absent = notebooks.of_tables(every, ["customers", "transactions"])
    assert {each.name for each in there} - {each.name for each in absent} == set(ALL)
    assert len(ALL) == 3


def test_the_pilot_s_files_are_the_same_bytes_again(tmp_path):
    for name in ("one", "other"):
        pilot.write_pilot(tmp_path / name / "pilot", size=300)
    one, other = (sorted(each.rglob("*.*")) for each in (tmp_path / "one", tmp_path / "other"))
    assert len(one) == 12
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
