"""The register: whole, consistent and in both languages."""

import re

import pytest

from analysis.claims.hypotheses import fingerprint, hypothesis, nearest, register
from analysis.data.contract import TABLES

IDS = [f"H{number:02d}" for number in range(1, 26)]


def test_no_claim_is_dropped():
    assert list(register()) == IDS
    assert sum(len(each.parts) for each in register().values()) == 46


@pytest.mark.parametrize("key", IDS)
def test_an_entry_is_whole(key):
    each = hypothesis(key)
    assert re.search(r"[\u4e00-\u9fff]", each.claim["zh"])
    assert not re.search(r"[\u4e00-\u9fff]", each.claim["en"])
    assert each.sources
    for need in each.needs:
        table, column = need.split(".")
        assert column in TABLES[table].columns, need
    assert len({part.key for part in each.parts}) == len(each.parts)


@pytest.mark.parametrize("part", [p for e in register().values() for p in e.parts], ids=str)
def test_a_part_is_consistent(part):
    assert part.claim.low < part.claim.high
    assert set(part.label) == set(part.unit) == {"en", "zh"}
    if part.negligible is not None:
        assert part.negligible.low <= part.null <= part.negligible.high
        middle = (part.negligible.low + part.negligible.high) / 2
        assert not part.claim.low < middle < part.claim.high
        assert part.sesoi > 0
    if part.scale == "log":
        assert part.null > 0
    assert part.claim.ends


def test_the_sesoi_is_the_edge_of_the_claim():
    assert hypothesis("H01").parts[0].sesoi == pytest.approx(0.10)
    assert hypothesis("H13").parts[0].sesoi == pytest.approx(0.10)
    assert hypothesis("H12").parts[0].sesoi is None


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(ValueError, match=r"'H1'.* Did you mean 'H"):
        hypothesis("H1")
    assert nearest("zzz", []) == " There are none."


def test_the_fingerprint_is_short_and_stable():
    assert fingerprint() == fingerprint()
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint())
