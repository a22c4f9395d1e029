"""What tests of regions that lack something hold their findings to."""

import math

DECIDED = {"supported", "contradicted", "too small to matter"}


def hold_whole(found):
    """Check that each finding has a reason or finite numbers, and says nothing unknown."""
    for finding in found.values():
        if finding.verdict == "not testable":
            assert len(finding.reason) > 20
            assert "nan" not in finding.reason.lower()
        for each in finding.estimates.values():
            assert math.isfinite(each.estimate)
            assert each.ci_low <= each.estimate <= each.ci_high
        said = " ".join([finding.meaning, *finding.caveats, *(c.value for c in finding.checks)])
        assert "nan" not in said.lower().split()


def changed(tables, name, **columns):
    return {**tables, name: tables[name].assign(**columns)}
