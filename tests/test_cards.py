from xml.etree import ElementTree

import pytest

from analysis.claims import card, wording
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import from_se
from sample_findings import ADVISORY, BLOCKING, each_verdict, loss_against_gain


@pytest.mark.parametrize("verdict", card.SYMBOLS)
def test_chip_has_symbol_word_and_class(verdict):
    for language in ("en", "zh"):
        chip = ElementTree.fromstring(card.chip(verdict, language))
        assert "".join(chip.itertext()) == (
            f"{card.SYMBOLS[verdict]} {wording.words(language)['verdict'][verdict]}"
        )
        assert chip.get("class") == f"chip {verdict.replace(' ', '-')}"


def circles_and_lines(part, low, high):
    svg = ElementTree.fromstring(card.interval_svg(part, low, high))
    assert svg.get("aria-hidden") == "true"
    centre = float(svg.find("circle").get("cx"))
    return centre, [path.get("d") for path in svg.findall("path")]


def test_drawing_puts_the_dot_in_its_place_and_marks_what_leaves_the_scale():
    part = loss_against_gain(0.0, 0.5).record()["parts"][0]
    centre, paths = circles_and_lines(part, -2, 2)
    assert centre == card.WIDTH / 2
    assert len(paths) == 2
    _, clipped = circles_and_lines(part, -0.5, 2)
    assert len(clipped) == 3


def test_a_ratio_is_drawn_on_a_logarithmic_axis():
    visits = {"top_vs_rest": from_se(2, 0.1, 900, scale="log")}
    visits["highest"] = from_se(1.5, 0.1, 900, scale="log")
    part = conclude(hypothesis("H13"), "s", "r", visits).record()["parts"][0]
    centre, _ = circles_and_lines(part, 1, 4)
    assert centre == card.WIDTH / 2


def test_common_scale_shows_every_estimate_but_not_the_widest_interval():
    precise = [loss_against_gain(value, 0.05).record()["parts"][0] for value in (0.1, 0.3, 0.4)]
    vague = loss_against_gain(0.2, 5.0).record()["parts"][0]
    low, high = card.scale_of([*precise, vague])
    assert low <= -0.15
    assert high >= max(part["ci_high"] for part in precise)
    assert high < vague["ci_high"]
    assert card.scale_of([vague]) == (vague["ci_low"], vague["ci_high"])


def test_card_escapes_every_text_from_outside():
    evil = "<script>alert('x')</script>"
    record = loss_against_gain(0.3, 0.05, ADVISORY, caveats=[evil], meaning=evil).record()
    record["title"] = record["claim"] = evil
    record["parts"][0] |= {"label": evil, "unit": evil, "method": evil}
    record["checks"][0] |= {"name": evil, "rule": evil, "value": evil}
    drawn = card.card(record)
    assert "<script" not in drawn
    assert drawn.count("&lt;script&gt;") >= 10


def test_card_is_well_formed_and_holds_everything():
    record = loss_against_gain(
        0.3, 0.05, ADVISORY, caveats=["One wave only."], meaning="That is 3 CNY a month."
    ).record()
    text = " ".join(ElementTree.fromstring(card.card(record).replace("<br>", "<br/>")).itertext())
    for expected in (
        "H03 Loss against gain", "Falling short of expectation", "+0.30 [+0.20, +0.40]",
        "at least +0.15", "n = 1,840 customers", "1 of 2 checks passed; failed: No handful decides",
        "One wave only.", "That is 3 CNY a month.",
    ):  # fmt: skip
        assert expected in text


@pytest.mark.parametrize("verdict", ["not testable", "failed"])
def test_card_without_estimate_gives_the_reason_and_no_numbers(verdict):
    drawn = card.card(each_verdict()[verdict])
    assert f"Reason &lt;{verdict}&gt;." in drawn
    assert "<svg" not in drawn
    assert "<table" not in drawn


def test_a_card_shows_no_part_as_supported_that_a_check_blocks():
    for checks, is_shown in (((), True), ((BLOCKING,), False)):
        record = loss_against_gain(0.30, 0.05, *checks).record()
        record["parts"] = [
            *record["parts"],
            *record["parts"],
        ]  # a single part has no verdict column
        assert ("Supported" in card.card(record)) == is_shown


def test_what_is_counted_may_wrap_so_that_no_card_is_wider_than_its_page():
    effects = {
        "odds_ratio": from_se(2.0, 0.1, 9216, scale="log"),
        "auc_gain": from_se(0.1, 0.01, 9),
    }
    html = card.card(conclude(hypothesis("H17"), "s", "r", effects).record())
    said = "n = 9,216 rows, one for each customer and landmark"
    assert said in html
    assert f'class="num">{said}' not in html
