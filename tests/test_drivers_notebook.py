"""The notebook on drivers in small regions: numbers that can be, and sentences that are true."""

import nbformat
import numpy as np
import pytest

from analysis.data.sources import ROOT
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of, run
from simulation.world import World

NOTEBOOKS = sorted((ROOT / "notebooks" / "satisfaction").glob("*.ipynb"))


@pytest.mark.parametrize("seed", [1, 2])
def test_where_a_style_is_hardly_known_shares_stay_possible_and_inconclusive(seed):
    """Issue 14: a difference of shares of -27.0 pp [-330.6, +276.5]."""
    here = region_of(draw(World(acquiescence=0.35), 180, seed))
    finding = run("H02", here)[0]
    assert finding.verdict == "inconclusive"
    ends = next(each.variants for each in finding.checks if "style" in each.name)
    for each in (finding.estimates, *ends):
        share = each["value_minus_cost"]
        assert -1 <= share.ci_low < share.estimate < share.ci_high <= 1


def test_the_caveat_on_works_names_only_moods_that_were_taken_out():
    """Issue 14: "is taken out in the comparison above" where nothing could be compared."""
    tables = draw(World(), 1500, 1)
    works = tables["survey"]["had_works"] == "true"
    for spared in (True, False):
        survey = tables["survey"] if spared else tables["survey"][works]
        finding, known = run("H05", region_of(tables | {"survey": survey}))
        said, computed = finding.caveats[0], known["computed"]
        assert ("all customers of a station." in said.split("can't be told")[0]) <= spared
        assert ("less customers without works" in computed) == spared
        assert spared or "can't be told from what came at the same time" in said
        hidden = next(each for each in finding.checks if each.name.startswith("net of"))
        assert len(hidden.variants) == 2
        assert spared or not np.isfinite(hidden.variants[0]["communication"].ci_high)


def test_prose_asserts_nothing_that_a_region_may_not_show():
    """Issue 14: sentences typed beside numbers that say something else in another region."""
    cells = [each for path in NOTEBOOKS for each in nbformat.read(path, as_version=4).cells]
    prose = " ".join(each.source for each in cells if each.cell_type == "markdown")
    code = " ".join(each.source for each in cells if each.cell_type == "code")
    typed = [
        "the finding stands", "costs lie below the line, and", "Most answers sit near",
        "Counts pile up", "every result below is pooled", "is more engaged",
        "customers tell dozens,", "at equal traits",
    ]  # fmt: skip
    assert [each for each in typed if each in prose] == []
    causal = ["moves the opinion", "more satisfied than", "rose by", "are steeper than"]
    assert [each for each in causal if each in code] == []
