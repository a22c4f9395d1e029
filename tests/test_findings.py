"""Findings inside notebooks, as records and as tables."""

import dataclasses
import json
import math

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.claims import checks, findings
from analysis.claims.finding import conclude, no_finding
from analysis.claims.hypotheses import hypothesis, register
from analysis.claims.verdicts import Check
from analysis.statistics.estimate import Estimate, NotEstimable

OPEN_ENDED = Estimate(0.4, -math.inf, 0.5, 500)
VERDICTS = {"supported", "too small to matter", "contradicted", "inconclusive"}


def concluded(**changes):
    estimates = {
        "top20_share": Estimate(0.62, 0.60, 0.64, 300, "logit", method="bootstrap"),
        "a_share": Estimate(0.15, 0.13, 0.17, 300, "logit"),
    }
    check = Check("customers", "at least 200", "300", np.True_)
    return conclude(
        hypothesis("H12"), "example", "North", estimates | changes, checks=[check], meaning="so"
    )


def test_a_record_is_plain_and_says_everything():
    record = concluded().record()
    assert record["verdict"] == "contradicted"
    assert [each["verdict"] for each in record["parts"]] == ["contradicted", "supported"]
    assert record["checks"][0]["passed"] is True
    assert record["parts"][0]["p_value"] == pytest.approx(0.0, abs=1e-6)
    output = nbformat.v4.new_output("display_data", data=concluded()._repr_mimebundle_())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    nbformat.validate(notebook)
    again = nbformat.reads(nbformat.writes(notebook), as_version=4)
    assert list(findings.records(again)) == [record]


def test_a_missing_part_or_number_is_refused():
    with pytest.raises(ValueError, match="needs estimates of"):
        concluded(other=Estimate(0.5, 0, 1, 100))


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(math.nan, 0.1, 0.2, 300), "300 customers give no finite interval"),
        (Estimate(0.15, 0.1, math.inf, 300), "300 customers give no finite interval"),
        (Estimate(0.15, math.nan, 0.2, 300), "300 customers give no finite interval"),
        (Estimate(0.15, 0.15, 0.15, 300), "its interval has no width"),
        (Estimate(0.25, 0.1, 0.2, 300), "its interval has no width or lies beside"),
        (Estimate(12.0, 0.1, 20.0, 35), "35 customers give 12 for customers in class A"),
    ],
)
def test_an_estimate_without_a_sane_error_reaches_no_card(estimate, said):
    with pytest.raises(NotEstimable, match=said):
        concluded(a_share=dataclasses.replace(estimate, scale="logit"))


def test_no_part_is_supported_where_nothing_is_concluded():
    estimates = {"asymmetry": Estimate(0.4, 0.3, 0.5, 500)}
    for passed, part in ((True, "supported"), (False, "inconclusive")):
        check = Check("customers", "at least 600", "500", passed)
        found = conclude(hypothesis("H03"), "s", "North", estimates, checks=[check])
        record = found.record()["parts"][0]
        assert record["verdict"] == part


def test_tables_of_findings_hold_what_the_records_say(tmp_path):
    broken = no_finding(hypothesis("H14"), "example", "North", "failed", "It broke.")
    records = [concluded().record(), broken.record()]
    findings.write(findings.tidy(records), findings.variants(records), tmp_path, findings.tests([]))
    for table in (
        pd.read_parquet(tmp_path / "findings.parquet"),
        pd.read_csv(tmp_path / "findings.csv"),
    ):
        assert table["hypothesis"].tolist() == ["H12", "H12", "H14"]
        assert table["estimate"].iloc[0] == 0.62
        assert table["part_verdict"].iloc[1] == "supported"
        assert math.isnan(table["estimate"].iloc[2])
        assert table["reason"].iloc[2] == "It broke."
    names = ["findings.csv", "findings.parquet", "tests.parquet", "variants.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_variants_travel_with_the_finding_and_come_back_from_the_folder(tmp_path):
    estimates = {"asymmetry": Estimate(0.4, 0.3, 0.5, 500)}
    others = ({"asymmetry": Estimate(0.2, 0.1, 0.3, 499, df=12)}, {"asymmetry": OPEN_ENDED})
    check = Check("hidden", "the same verdict", "no", False, variants=others)
    found = conclude(hypothesis("H03"), "s", "North", estimates, checks=[check])
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    assert record["checks"] == [
        {"name": "hidden", "rule": "the same verdict", "value": "no", "blocking": True,
         "passed": False}
    ]  # fmt: skip
    table = findings.variants([record])
    assert table.columns.tolist() == findings.VARIANTS
    assert table[["check", "variant", "part"]].values.tolist() == [
        ["hidden", 1, "asymmetry"], ["hidden", 2, "asymmetry"],
    ]  # fmt: skip
    numbers = table[["estimate", "ci_low", "ci_high", "df", "n_obs"]].values.tolist()
    assert numbers == [[0.2, 0.1, 0.3, 12, 499], [0.4, -math.inf, 0.5, math.inf, 500]]
    findings.write(findings.tidy([record]), table, tmp_path, findings.tests([]))
    pd.testing.assert_frame_equal(findings.read_variants(tmp_path), table)


def test_tests_travel_with_the_finding_and_come_back_from_the_folder(tmp_path):
    estimates = {"asymmetry": Estimate(0.4, 0.3, 0.5, 500)}
    made = [
        checks.not_by_chance("pile", 0.2),
        Check("balance", "below 0.1 SD", "0.04", True, biases={"a": -0.04, "b": 0.01}, most=0.1),
        Check("for caution", "p at least 1%", "p = 0.2", True, False, p_value=0.2, least=0.01),
        checks.at_least("customers", 500, 100),
    ]
    found = conclude(hypothesis("H03"), "s", "North", estimates, checks=made)
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    table = findings.tests([record])
    assert table.values.tolist() == [
        ["s", "North", "H03", "pile", "", 0.2, 0.01],
        ["s", "North", "H03", "balance", "a", -0.04, 0.1],
        ["s", "North", "H03", "balance", "b", 0.01, 0.1],
    ]
    findings.write(findings.tidy([record]), findings.variants([record]), tmp_path, table)
    pd.testing.assert_frame_equal(findings.read_tests(tmp_path), table)
    assert findings.read_tests(tmp_path / "elsewhere").columns.tolist() == findings.TESTS


def test_reports_of_an_older_run_have_no_variants(tmp_path):
    record = {name: value for name, value in concluded().record().items() if name != "variants"}
    for table in (findings.variants([record]), findings.read_variants(tmp_path)):
        assert table.empty
        assert table.columns.tolist() == findings.VARIANTS


@given(st.sampled_from(sorted(register())), st.floats(-2, 2), st.floats(0.001, 1))
def test_every_hypothesis_of_the_register_can_be_concluded(key, middle, width):
    entry, estimates = hypothesis(key), {}
    for each in entry.parts:
        low, high = each.sane.low, each.sane.high
        centre = each.null if low < each.null < high else (low + high) / 2
        x = np.array([middle, middle - width, middle + width])
        places = {
            "identity": centre + min(0.1, (high - low) / 10) * x,
            "log": np.exp(x),
            "logit": 1 / (1 + np.exp(-x)),
        }
        estimates[each.key] = Estimate(*places[each.scale], 99, each.scale)
    record = conclude(entry, "s", "r", estimates).record()
    assert record["verdict"] in VERDICTS
    assert all(0 <= each["p_value"] <= 1 for each in record["parts"])
