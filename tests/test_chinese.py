"""What a reader of Chinese sees: nothing missing, numbers and days as they are written there."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from babel.messages.pofile import read_po

from analysis import language
from analysis.claims import across_regions, findings
from analysis.claims.finding import conclude
from analysis.claims.hypotheses import hypothesis, register
from analysis.claims.verdicts import Check
from analysis.claims.wording import method_in_words
from analysis.language import latin
from analysis.statistics.estimate import from_se
from simulation import World, draw
from workbook import notebooks
from workbook.running import execute
from workbook.running.plan import Task

CATALOGUE = language.CATALOGUES / "zh" / "LC_MESSAGES" / "workbook.po"
OTHERWISE = {"1,000": "千", "17:00": "17点", "below .05": "0.05", "80/20": "二八", "R2": "R²"}
"""Numbers that stand otherwise in Chinese."""
PLACES = re.compile(r"`[^`]*`|\$[^$]*\$|\{[^}]*\}|East 华东|Pilot 试点|[a-z]+_[a-z]+")


@pytest.fixture(autouse=True)
def english_again():
    yield
    language.use("en")


@pytest.fixture(scope="module")
def messages():
    """English and Chinese of every message."""
    with CATALOGUE.open("rb") as file:
        known = [each for each in read_po(file, locale="zh") if each.id]
    first = lambda text: text[0] if isinstance(text, tuple | list) else text  # noqa: E731
    return [(first(each.id), first(each.string)) for each in known]


def test_every_message_is_translated(messages):
    assert [english for english, chinese in messages if not chinese] == []


def test_numbers_are_the_same(messages):
    def numbers(text):
        return set(re.findall(r"\d+(?:[.,]\d+)*", PLACES.sub(" ", text)))

    for english, chinese in messages:
        for ours, theirs in OTHERWISE.items():
            english = english.replace(ours, theirs)
        assert numbers(english) <= numbers(chinese), english


def test_no_latin_word_but_names_and_symbols(messages):
    for english, chinese in messages:
        words = latin.WORD.findall(PLACES.sub(" ", chinese))
        assert set(words) <= latin.KNOWN, english


def test_terms_of_the_trade(messages):
    chinese = "\n".join(each for _, each in messages)
    assert re.findall(r".{5}(?:主张|95 %|(?<!置信)95%区间|斜率减|％).{5}", chinese) == []
    assert re.findall(r"[\u4e00-\u9fff][,:;?!][\u4e00-\u9fff]", chinese) == []
    for each in register().values():
        words = [each.claim["zh"], each.title["zh"], *(part.label["zh"] for part in each.parts)]
        assert not re.search(r"[,:;()]|减(?!轻)", "".join(words)), each.id


@pytest.mark.parametrize(
    ("message", "value", "english", "chinese"),
    [
        ("{x:+.2f}", -0.52, "−0.52", "−0.52"),
        ("{x:+.1f}", -0.04, "0.0", "0.0"),
        ("{x:.0%}", 0.95, "95%", "95%"),
        ("{x:,}", 12_345, "12,345", "12,345"),
        ("{x:,}", np.int64(1_234_567), "1,234,567", "123.5万"),
        ("{x:,.0f}", 3.2e8, "320,000,000", "3.2亿"),
        ("{x:+,.0f}", -250_000.0, "−250,000", "−25万"),
        ("{x}", dt.date(2026, 6, 29), "2026-06-29", "2026年6月29日"),
        ("{x}", "2026-06-29", "2026-06-29", "2026年6月29日"),
        ("{x:%B %Y}", pd.Timestamp("2026-06-29"), "June 2026", "2026年6月"),
        ("{x}", "told_others", "people told", "告知人数"),
        ("{x}", "North 华北", "North 华北", "North 华北"),
        ("{x}", language.Verbatim("told_others"), "told_others", "told_others"),
        ("{x:+.1f}", from_se(0.5, 0.1, 9), "+0.5 (+0.3 to +0.7)", "+0.5（+0.3至+0.7）"),
    ],
)
def test_values_are_written_as_a_reader_expects(message, value, english, chinese):
    assert language.text(message, x=value) == english
    language.use("zh")
    assert language.text(message, x=value) == chinese


def test_a_method_is_named_piece_by_piece():
    method = "ordered probit model, 20 imputations"
    assert method_in_words(method, "en") == method
    assert method_in_words(method, "zh") == "有序probit模型、20次插补"
    assert method_in_words("poisson regression, HC3", "zh") == "泊松回归、HC3"


def test_regions_that_ran_in_two_languages_are_pooled_as_in_one():
    """A check and what it varies are known by the check's English name in every language."""
    name = "with a hidden cause as strong as any recorded"

    def found(region, spoken):
        language.use(spoken)
        parts = {"policy": from_se(0.5, 0.05, 300), "jump": from_se(0.4, 0.05, 300)}
        hidden = {key: from_se(0.1, 0.05, 300) for key in parts}
        checks = [
            Check(name, language.text("the same verdict"), language.text("the same"), False,
                  variants=(hidden,)),
            Check("cases pile up on day three", "", "", True, p_value=0.4, least=0.01),
        ]  # fmt: skip
        texts = {"checks": checks, "language": spoken}
        return conclude(hypothesis("H08"), "two", region, parts, **texts).record()

    def pooled(*spoken):
        records = [found(f"R{i}", each) for i, each in enumerate(spoken)]
        tables = findings.tidy(records), findings.variants(records), findings.tests(records)
        language.use("en")
        return across_regions.pooled(*tables)

    pd.testing.assert_frame_equal(pooled("zh", "en", "zh"), pooled("en", "en", "en"))
    assert pooled("zh", "en", "zh")["n_regions"].tolist() == [3, 3]


@pytest.mark.slow
def test_a_page_that_was_run_in_chinese_is_chinese(tmp_path):
    data = tmp_path / "small"
    data.mkdir()
    for name, table in draw(World(), 300, 1).items():
        table = table.assign(region="华北") if "region" in table else table
        table.to_csv(data / f"{name}.csv", index=False)
    names = ("customers", "survey", "complaints", "transactions", "contacts")
    toml = "as_of = 2026-06-29\n" + "".join(f"[{n}]\nfile = '{n}.csv'\n" for n in names)
    (tmp_path / "small.toml").write_text(toml, encoding="utf-8")
    notebook = notebooks.discover()["H12_concentration_of_sales"].path
    given = {"source": str(tmp_path / "small.toml"), "language": "zh"}
    task = Task(notebook, "small", "华北", given, tmp_path / "reports")
    list(execute.run([task], jobs=1))
    page = task.executed.with_suffix(".html").read_text(encoding="utf-8")
    assert latin.latin_words(page, {"small", "CNY"}) == {}
    assert latin.chinese_letters(page) > 1000
