"""The catalogue: what is not translated stays English; translations fill the same gaps."""

import io
import string

import nbformat
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract, extract_from_file
from babel.messages.pofile import read_po

from analysis import language
from analysis.data.sources import ROOT
from analysis.language import update

CHINESE = language.CATALOGUES / "zh" / "LC_MESSAGES" / "workbook.po"
IN_CHINESE = "notebooks/value/H12_concentration_of_sales.ipynb"
METHOD = "analysis.language.extract"

HEADER = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"""


@pytest.fixture
def english_again():
    yield
    language.use("en")


@pytest.fixture
def catalogue(tmp_path, monkeypatch, english_again):
    path = tmp_path / "zh" / "LC_MESSAGES" / "workbook.po"
    path.parent.mkdir(parents=True)
    path.write_text(
        HEADER + '\nmsgid "{n:,} station"\nmsgid_plural "{n:,} stations"\nmsgstr[0] "{n:,}个站"\n'
        '\nmsgid "{share:.0%} of customers"\nmsgstr "客户的{share:.0%}"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(language, "CATALOGUES", tmp_path)
    return path


def fields(message):
    return sorted(
        f"{name}:{spec}" for _, name, spec, _ in string.Formatter().parse(message) if name
    )


def test_english_needs_no_catalogue_and_counts():
    stations = ("{n:,} station", "{n:,} stations")
    assert [language.text(*stations, n=n) for n in (0, 1, 1200)] == [
        "0 stations", "1 station", "1,200 stations",
    ]  # fmt: skip
    assert language.text("as it is: {nothing}") == "as it is: {nothing}"
    assert language.text("") == ""


def test_chinese_has_one_form_for_every_number_and_the_same_formats(catalogue):
    language.use("zh")
    assert language.text("{n:,} station", "{n:,} stations", n=1200) == "1,200个站"
    assert language.text("{share:.0%} of customers", share=0.2) == "客户的20%"
    assert language.text("Not translated, {n}", n=3) == "Not translated, 3"
    assert language.text("") == ""


def test_a_change_of_the_catalogue_is_read_at_once(catalogue):
    language.use("zh")
    assert language.text("{share:.0%} of customers", share=0.2) == "客户的20%"
    longer = catalogue.read_text(encoding="utf-8").replace("客户的", "全部客户的")
    catalogue.write_text(longer, encoding="utf-8")
    assert language.text("{share:.0%} of customers", share=0.2) == "全部客户的20%"


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="expected one of en, zh"):
        language.use("fr")


def test_messages_are_found_in_code_and_in_notebooks():
    code = b"say('a {n} b ' 'c', n=1)\nf(text('one', 'many', n=3), 'no message')\n"
    found = extracted(code, f"{METHOD}:python")
    assert found == ["a {n} b c", ("one", "many")]
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell("%matplotlib inline\nsay('x')"),
        ]
    )
    assert extracted(nbformat.writes(notebook).encode(), f"{METHOD}:notebook") == [
        "# Title", "x",
    ]  # fmt: skip
    assert extracted(b"a = 'x'\n[b]\nc = 'y'\n", f"{METHOD}:toml") == ["x", "y"]
    register = b"[H01]\nestimand = 'x'\n[H01.claim]\nen = 'y'\n"
    assert extracted(register, f"{METHOD}:estimands") == ["x"]


def extracted(content, method):
    return [message for _, message, _, _ in extract(method, io.BytesIO(content))]


@pytest.fixture(scope="module")
def sources():
    return {each.id[0] if isinstance(each.id, tuple) else each.id for each in update.messages()}


@pytest.fixture(scope="module")
def chinese():
    with CHINESE.open("rb") as file:
        return [message for message in read_po(file) if message.id]


def test_the_catalogue_has_nothing_that_no_source_says(sources, chinese):
    known = {each.id[0] if isinstance(each.id, tuple) else each.id for each in chinese}
    assert known - sources == set(), "make messages"


def test_an_update_keeps_translations_and_takes_out_what_nothing_says(catalogue):
    template = Catalog()
    template.add("{share:.0%} of customers")
    template.add("a new sentence")
    update.update(catalogue, "zh", template)
    written = catalogue.read_text(encoding="utf-8")
    assert 'msgid "a new sentence"\nmsgstr ""' in written
    assert "客户的{share:.0%}" in written
    assert "station" not in written
    update.update(catalogue, "zh", template)
    assert catalogue.read_text(encoding="utf-8") == written


def test_translations_fill_the_same_gaps(chinese):
    for each in chinese:
        singular = each.id[0] if isinstance(each.id, tuple) else each.id
        written = each.string if isinstance(each.string, tuple) else (each.string,)
        for one in filter(None, written):
            assert fields(one) == fields(singular), singular


def test_one_notebook_is_all_in_chinese(chinese):
    method = f"{METHOD}:notebook"
    wanted = [each[1] for each in extract_from_file(method, str(ROOT / IN_CHINESE))]
    there = {each.id: each.string for each in chinese}
    assert [each for each in wanted if not there.get(each)] == []


def test_currencies_are_written_as_their_readers_do():
    message = "Win {more} {currency} more"
    values = {"more": 3, "currency": "CNY"}
    found = [language.translate(message, "", each, values) for each in language.LANGUAGES]
    assert found == ["Win 3 CNY more", "Win 3 元 more"]
    assert language.translate("{currency}", "", "zh", {"currency": "XTS"}) == "XTS"


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Their mean is {mean:amount} {currency}.", "Their mean is 12."),
        ("Sales ({currency})", "Sales"),
        ("Sales (1,000 {currency})", "Sales (1,000)"),
        ("Means; {worth} in {currency}, of all", "Means; margin, of all"),
        ("It is their **{worth}**, in {currency}.", "It is their **margin**."),
        ("以**{worth}**衡量，单位为{currency}。", "以**margin**衡量。"),
    ],
)
def test_a_source_without_a_currency_leaves_no_gap(sentence, said):
    assert language.text(sentence, mean=12, worth="margin", currency="") == said
