"""What every claim must meet, whatever its notebook says; variants beside what is registered."""

from dataclasses import replace

import nbformat
import pytest
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter

from analysis.claims import checks, claim, finding, findings
from analysis.claims.hypotheses import register
from analysis.claims.verdicts import Check
from analysis.data.exclusions import Refunds
from analysis.statistics import effort
from analysis.statistics.estimate import Estimate, NotEstimable
from simulation import World, draw
from simulation.rehearsal import region_of
from workbook.pages.entry import Entry

HIDDEN_CAUSE = "with a hidden cause as strong as any recorded"
CLEAR = Estimate(1.20, 1.10, 1.31, 500, "log")
ESTIMATE = Estimate(0.4, 0.3, 0.5, 500)
WEAK = Estimate(1.04, 0.95, 1.14, 500, "log")


@pytest.fixture(scope="module")
def here():
    return region_of(draw(World(), 60, 1))


def test_a_causal_claim_needs_a_hidden_cause_and_no_other_claim_has_one(here):
    with pytest.raises(ValueError, match=r"H14 needs estimates with a hidden cause"):
        claim.claim("H14", here).conclude({"margin": CLEAR}, formula="", checks=[], caveats=[])
    with pytest.raises(ValueError, match="H03 is no causal claim"):
        claim.claim("H03", here).conclude(
            {"asymmetry": Estimate(0.4, 0.3, 0.5, 500)},
            formula="",
            checks=[],
            caveats=[],
            hidden=[],
        )


@pytest.mark.parametrize(
    ("hidden", "verdict", "blocked"),
    [(CLEAR, "supported", ""), (WEAK, "inconclusive", HIDDEN_CAUSE)],
)
def test_a_causal_verdict_must_survive_a_hidden_cause(here, hidden, verdict, blocked):
    variants = [{"margin": hidden}, {"margin": CLEAR}]
    found = claim.claim("H14", here).conclude(
        {"margin": CLEAR}, formula="", checks=[], caveats=[], hidden=variants
    )
    failed = [check.name for check in found.checks if not check.passed]
    assert (found.verdict, "".join(failed)) == (verdict, blocked)
    assert found.checks[0].variants == tuple(variants)


@pytest.mark.parametrize("key", ["H14", "H15", "H16", "H19"])
def test_what_is_sales_is_not_called_margin(here, key):
    """The words of a source without costs, in both languages, and on a page of either."""
    without = replace(here, columns=here.columns - {"transactions.cost"})
    for region, worth in ((here, "margin"), (without, "sales")):
        taken = claim.claim(key, region)
        record = finding.no_finding(taken.hypothesis, "small", "North", "failed", "").record()
        words = " ".join(f"{each['label']} {each['unit']}" for each in record["parts"])
        assert {each for each in ("margin", "sales") if each in words} == {worth}
        assert {each for each in ("margin", "sales") if each in taken._repr_html_()} == {worth}
        entry = Entry("small", "North", key, "", key, "", "ok", "", "", record).worded("zh")
        words = " ".join(f"{each['label']} {each['unit']}" for each in entry.record["parts"])
        assert {each for each in ("毛利", "销售额") if each in words} == {
            {"margin": "毛利", "sales": "销售额"}[worth]
        }


@pytest.mark.parametrize(("share", "verdict"), [(0.02, "supported"), (0.021, "inconclusive")])
def test_refunds_that_stay_in_the_sales_block_claims_about_money(here, share, verdict):
    refunds = Refunds(lines=1, amount=10 * share, sales=10.0, share=share)
    found = claim.claim("H14", replace(here, refunds=refunds)).conclude(
        {"margin": CLEAR}, formula="", checks=[], caveats=[], hidden=[{"margin": CLEAR}]
    )
    assert found.verdict == verdict
    names = [check.name for check in found.checks]
    assert "refunds whose purchases stay in, share of sales" in names


def test_every_claim_says_how_it_is_read():
    causal = {key for key, each in register().items() if each.causal}
    assert causal == {f"H{n:02d}" for n in (4, 5, 8, 9, 10, 11, 13, 14, 16, 19, 20, 21)}
    about_money = {key for key, each in register().items() if each.money}
    assert about_money == {"H11", "H12", "H14", "H15", "H16", "H19"}
    assert {each.reading for each in register().values()} == {
        "causal", "association", "description"
    }  # fmt: skip


def test_nothing_is_concluded_where_nothing_tells_a_hidden_cause(here):
    found = claim.claim("H14", here).conclude(
        {"margin": CLEAR},
        formula="",
        checks=[],
        caveats=[],
        hidden=[],
        hidden_as="net of the others",
    )
    assert found.verdict == "inconclusive"
    said = [(check.name, check.value) for check in found.checks if not check.passed]
    assert said == [("net of the others", "nothing recorded to tell")]


def concluded(here, formula=""):
    loss = claim.claim("H03", here)
    loss.conclude({"asymmetry": ESTIMATE}, formula=formula, checks=[], caveats=[])
    return loss


def collected(*shown):
    """Return the records that a notebook with these outputs gives its region."""
    outputs = [nbformat.v4.new_output("display_data", each._repr_mimebundle_()) for each in shown]
    cell = nbformat.v4.new_code_cell(outputs=outputs)
    return list(findings.records(nbformat.v4.new_notebook(cells=[cell])))


def test_a_finding_and_its_card_carry_the_formula(here):
    found = concluded(here, formula="z_satisfaction ~ gain + loss<1").finding
    assert found.record()["formula"] == "z_satisfaction ~ gain + loss<1"
    html = found._repr_mimebundle_()["text/html"]
    assert "<code>z_satisfaction ~ gain + loss&lt;1</code>" in html
    assert findings.tidy([found.record()])["formula"].tolist() == ["z_satisfaction ~ gain + loss<1"]


def test_a_variant_stands_beside_what_is_registered_and_is_never_collected(here):
    loss = concluded(here, formula="y ~ gain + loss")
    mine = {"asymmetry": Estimate(0.0, -0.1, 0.1, 400)}
    seen = loss.compare(mine, name="without <tenure>", formula="y ~ loss")
    assert (seen.registered.verdict, seen.variant.verdict) == ("supported", "too small to matter")
    page = BeautifulSoup(seen._repr_html_(), "html.parser")
    assert "A variant, not registered" in page.select_one(".note").text
    cells = [
        [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])]
        for row in page("tr")
    ]
    assert cells[0] == ["Effect", "as registered", "without <tenure>"]
    assert cells[1] == ["Verdict", "✓ Supported", "≈ Too small to matter"]
    assert "+0.40 [+0.30, +0.50]" in cells[2][1]
    assert "[−0.10, +0.10]" in cells[2][2]
    assert cells[3][1:] == ["y ~ gain + loss", "y ~ loss"]
    assert len(page.select("svg")) == 2
    assert "not registered" in seen.variant._repr_mimebundle_()["text/html"]
    assert collected(seen.variant, loss.finding) == [loss.finding.record()]
    assert loss.finding is seen.registered


def test_a_variant_is_held_to_the_checks_of_the_finding_or_to_its_own(here):
    loss = claim.claim("H03", here)
    failed = Check("customers", "at least 600", "500", False)
    loss.conclude({"asymmetry": ESTIMATE}, formula="", checks=[failed], caveats=[])
    assert loss.compare({"asymmetry": ESTIMATE}).variant.verdict == "inconclusive"
    assert loss.compare({"asymmetry": ESTIMATE}, checks=[]).variant.verdict == "supported"


def test_a_variant_needs_a_name_a_part_of_the_claim_and_a_conclusion(here):
    with pytest.raises(ValueError, match="H03 has no conclusion to compare"):
        claim.claim("H03", here).compare({"asymmetry": ESTIMATE})
    with pytest.raises(ValueError, match="A variant needs a name"):
        concluded(here).compare({"asymmetry": ESTIMATE}, name=" ")
    with pytest.raises(ValueError, match="needs estimates of"):
        concluded(here).compare({"asymetry": ESTIMATE})


def test_quick_mode_is_said_on_the_card_and_is_off_where_reports_are_written(here, monkeypatch):
    monkeypatch.setenv(effort.QUICK, "")  # given back afterwards
    monkeypatch.delenv(effort.REPORTS, raising=False)
    assert (effort.imputations(20), effort.draws(999)) == (20, 999)
    effort.quick_mode()
    assert (effort.imputations(20), effort.draws(999), effort.draws(50)) == (5, 200, 50)
    said = "Quick mode: 5 imputations, 200 draws; not for reporting."
    assert said in concluded(here).finding._repr_mimebundle_()["text/html"]
    monkeypatch.setenv(effort.REPORTS, "reports")
    assert (effort.imputations(20), effort.draws(999)) == (20, 999)
    assert said not in concluded(here).finding._repr_mimebundle_()["text/html"]


def test_a_conclusion_without_its_formula_is_refused(here):
    with pytest.raises(TypeError, match="formula"):
        claim.claim("H03", here).conclude({"asymmetry": ESTIMATE}, checks=[], caveats=[])


class Cell:
    """Stands for the shell of a JupyterLab cell that runs."""

    def __init__(self, name, count=1):
        self.name, self.execution_count, self.ended = name, count, []

    def get_parent(self):
        return {"metadata": {"cellId": self.name}}

    def set_custom_exc(self, kinds, handler):
        self.end = handler

    def _showtraceback(self, kind, why, lines):
        self.ended += lines


def test_a_claim_is_concluded_once_and_its_cell_may_run_again(here, monkeypatch):
    again = {"formula": "", "checks": [], "caveats": []}
    with pytest.raises(ValueError, match="H03 is concluded already"):
        concluded(here).conclude({"asymmetry": ESTIMATE}, **again)
    monkeypatch.setattr(claim, "get_ipython", lambda: Cell("one"))
    loss = concluded(here)
    loss.conclude({"asymmetry": ESTIMATE}, **again)
    monkeypatch.setattr(claim, "get_ipython", lambda: Cell("other"))
    with pytest.raises(ValueError, match="H03 is concluded already"):
        loss.conclude({"asymmetry": ESTIMATE}, **again)


def test_what_the_data_do_not_allow_ends_its_own_claim_and_no_conclusion(here, monkeypatch):
    shell, shown = Cell("one"), []
    monkeypatch.setattr(claim, "get_ipython", lambda: shell)
    monkeypatch.setattr(claim, "display", shown.append)
    first, last = claim.claim("H03", here), claim.claim("H12", here)
    for act in (
        lambda: first.require(["Too few."]),
        lambda: first.conclude(
            {"asymmetry": Estimate(0.4, 0.4, 0.4, 5)}, formula="", checks=[], caveats=[]
        ),
    ):
        with pytest.raises(NotEstimable) as why:
            act()
        shell.end(shell, NotEstimable, why.value, None)
        assert (first.finding.verdict, last.finding) == ("not testable", None)
        assert shell.ended.pop() == "H03 is not testable here; the notebook ends with this cell."
    loss, shown[:] = concluded(here), []
    shell.end(shell, NotEstimable, NotEstimable("Too <few>."), None)
    assert [each.data for each in shown] == ["Too &lt;few&gt;."]
    assert loss.finding.verdict == "supported"


def test_an_estimate_on_another_scale_than_its_part_is_refused(here):
    with pytest.raises(ValueError, match=r"H14 needs .* on the scale 'log', got .* 'identity'"):
        claim.claim("H14", here).conclude(
            {"margin": ESTIMATE}, formula="", checks=[], caveats=[], hidden=[{"margin": CLEAR}]
        )


def test_a_cell_that_ends_with_what_is_shown_shows_it_once(here, monkeypatch):
    shell, shown = Cell("one"), []
    for module in (claim, finding):
        monkeypatch.setattr(module, "get_ipython", lambda: shell)
    as_usual = DisplayFormatter()
    monkeypatch.setattr(claim, "display", lambda each: shown.append(as_usual.format(each)[0]))
    loss = concluded(here)
    seen = [loss, loss.finding, loss.compare({"asymmetry": ESTIMATE})]
    assert ["text/html" in each for each in shown] == [True, True, True]
    assert [as_usual.format(each)[0] for each in seen] == [{}, {}, {}]
    shell.execution_count = 2
    assert [as_usual.format(each)[0] for each in seen] == shown


def test_a_fact_for_information_neither_passes_nor_fails(here):
    loss = claim.claim("H03", here)
    held = [Check("customers", "at least 5", "9", True), checks.shown("reach", "0.1 to 0.9")]
    loss.conclude({"asymmetry": ESTIMATE}, formula="", checks=held, caveats=[])
    page = BeautifulSoup(loss.finding._repr_mimebundle_()["text/html"], "html.parser")
    assert "1 of 1 checks passed" in page.select_one(".checks summary").text
    rows = [[cell.text for cell in row("td")] for row in page.select(".all-checks tbody tr")]
    assert [row[0] for row in rows] == ["✓ passed", ""]
