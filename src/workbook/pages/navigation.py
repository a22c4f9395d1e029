"""Links between pages: neighbours among regions and claims, and the other language.

A page has marks where they go; they are filled in when all pages of a run are there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from markupsafe import Markup

from analysis.claims import hypotheses
from analysis.data.files import is_file, write_text
from analysis.language import LANGUAGES
from workbook.pages import plain
from workbook.pages.entry import Entry

NAMES = {"en": "English", "zh": "中文"}
"""Languages as their readers call them."""


@dataclass(frozen=True)
class Links:
    """What a page links to: the page above it, its neighbours and, by name, its siblings."""

    page: Path
    above: tuple[Path, str] | None = None
    previous: tuple[Path, str] | None = None
    next: tuple[Path, str] | None = None
    siblings: Sequence[tuple[Path, str]] = ()


def fill(
    reports: Path,
    entries: Sequence[Entry],
    language: str,
    others: Sequence[Path],
    trials: Mapping[Path, tuple[Path, str]] = MappingProxyType({}),
) -> None:
    """Write the links of all pages of a folder of reports, whose entries are given.

    Pages of the same name in other folders (`others`: the sources' pages over all regions) get
    only those to the other language. `trials` has, by a claim's page, the page of its trial and
    what that says of the claim.
    """
    words = plain.words(language)["nav"]
    root = reports.parent if is_of_language(reports) else reports
    folders = [root, *(root / each for each in LANGUAGES)]
    known = {folder: _language_of(folder) for folder in folders if is_file(folder / "index.html")}
    for links in _all(reports, entries, others):
        if not _is_ours(links.page, root):
            continue
        name = links.page.relative_to(reports)
        same = [folder / name for folder in known if _is_ours(folder / name, root)]
        for page in same:
            found = {known[p.parents[len(name.parts) - 1]]: p for p in same if p != page}
            parts = {"lang": _languages(page, found)}
            if page == links.page:
                tried = _link(page, *trials[page]) if page in trials else ""
                parts["trial"] = str(tried and Markup('<p class="tried">{}</p>').format(tried))
                parts["nav"] = _drawn(links, words)
            _write(page, parts)


def _is_ours(page: Path, root: Path) -> bool:
    """Tell whether a page is there and no link leads away from it."""
    return is_file(page) and page.resolve().is_relative_to(root.resolve())


def is_of_language(reports: Path) -> bool:
    """Tell whether a folder of reports is that of another language inside of one."""
    return reports.name in LANGUAGES and (reports.parent / "index.html").is_file()


def _all(reports: Path, entries: Sequence[Entry], others: Sequence[Path]) -> Iterator[Links]:
    """Yield the links of every page."""
    yield from (Links(page) for page in (reports / "index.html", *others))
    by_place: dict[tuple, list[Entry]] = {}
    for entry in entries:
        by_place.setdefault(entry.place, []).append(entry)
    regions = [(reports / source / region / "index.html", region) for source, region in by_place]
    order = {key: number for number, key in enumerate(hypotheses.register())}
    for own, previous, following in _in_a_row(regions):
        yield Links(own[0], None, previous, following, regions)
    for (page, region), own in zip(regions, by_place.values(), strict=True):
        own = sorted(own, key=lambda each: (order.get(each.claim, len(order)), each.notebook))
        claims = [
            (page.with_name(f"{each.notebook}.html"), each.claim or each.title) for each in own
        ]
        for each, previous, following in _in_a_row(claims):
            yield Links(each[0], (page, region), previous, following)


def _in_a_row(pages: Sequence[tuple[Path, str]]) -> Iterator[tuple]:
    """Yield each page with the one before and the one after it."""
    for number, page in enumerate(pages):
        before = pages[number - 1] if number else None
        yield page, before, pages[number + 1] if number + 1 < len(pages) else None


def _language_of(folder: Path) -> str:
    """Return the language of the pages of a folder."""
    with (folder / "index.html").open(encoding="utf-8", errors="replace") as file:
        found = re.search(r'<html lang="(\w+)"', file.read(200))
    return found[1] if found else "en"


def _link(page: Path, target: Path, text: str, attributes: str = "") -> Markup:
    """Return a link from a page to another one."""
    href = quote(Path(os.path.relpath(target, page.parent)).as_posix())
    return Markup('<a href="{}"{}>{}</a>').format(href, Markup(attributes), text)


def _languages(page: Path, others: dict[str, Path]) -> str:
    """Return links to the same page in other languages."""
    links = [
        _link(page, other, NAMES.get(language, language), f' lang="{language}"')
        for language, other in others.items()
    ]
    return " ".join(map(str, links))


def _drawn(links: Links, words: dict) -> str:
    """Return a page's links as HTML."""
    parts = []
    if links.above:
        parts.append(_link(links.page, *links.above))
    for name, arrow in {"previous": "← {}", "next": "{} →"}.items():
        if each := getattr(links, name):
            shown, said = arrow.format(each[1]), words[name].format(name=each[1])
            label = Markup(' rel="{}" title="{}"').format(name[:4], said)
            parts.append(_link(links.page, each[0], shown, label))
    if len(links.siblings) > 1:
        rows = (Markup("<li>{}</li>").format(_link(links.page, *each)) for each in links.siblings)
        menu = Markup("<details><summary>{}</summary><ul>{}</ul></details>")
        parts.append(menu.format(words["regions"], Markup("").join(rows)))
    nav = Markup('<nav class="links" aria-label="{}">{}</nav>')
    return str(nav.format(words["label"], Markup(" ").join(parts))) if parts else ""


def _write(page: Path, parts: dict[str, str]) -> None:
    """Put what belongs between the marks of a page there, if it is not there already."""
    try:
        old = new = page.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # somebody else's; the index says so
        return
    for mark, text in parts.items():
        begin, end = f"<!--{mark}-->", f"<!--/{mark}-->"
        before, found, rest = new.partition(begin)
        if found:
            new = before + begin + text + end + rest.partition(end)[2]
    if new != old:
        write_text(page, new)
