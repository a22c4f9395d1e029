"""Count the Latin words of Chinese pages: `python -m analysis.language.latin reports`.

Code, formulas, addresses and what stands in `KNOWN` (names, symbols, units) is no such word.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

KNOWN = {
    # money, letters of statistics, measures
    "CNY", "AUC", "Gini", "SD", "HC", "CR", "LMG", "AIPW", "NPS", "NBD", "MBG", "BG", "pp", "vs",
    # methods that are named after people, or have no Chinese name in use
    "probit", "logit", "Holm", "Cox", "Poisson", "Wilson", "Paule", "Mandel", "Hartung", "Knapp",
    "Stouffer", "Benjamini", "Hochberg", "Bonferroni", "Lorenz", "Hill", "Wald", "Tobin", "Clopper",
    "Pearson", "Spearman", "DeLong", "Monte", "Carlo", "Pareto", "Bunching", "omega",
    "alpha", "tau", "Lin", "Lee", "Anderson", "Rubin", "Firth", "Newton",
    "bootstrap", "jackknife", "MBG/NBD", "BG/NBD",
    # programs and formats
    "CN", "logistic", "Welch", "Noto", "Sans", "CJK", "keep", "drop",
    "force", "Debian", "Ubuntu", "Cronbach", "Obuchowski", "Efron",
    "Python", "pandas", "statsmodels", "scikit", "learn", "CSV", "Excel",
    "JupyterLab", "PNG", "SVG",
    "TOML", "HTML",
}  # fmt: skip
WORD = re.compile(r"[A-Za-zÀ-ÿ]{2,}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NO_WORDS = {"script", "style", "code", "pre", "svg", "title", "option"}


class _Text(HTMLParser):
    """The words of a page, alternative texts with them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element; keep what it says to those who cannot see it."""
        if tag in NO_WORDS or dict(attrs).get("lang") == "en":
            self._inside.append(tag)
        known = dict(attrs)
        self.parts += [known[name] or "" for name in ("alt", "aria-label") if name in known]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Keep the words outside of code."""
        if not self._inside:
            self.parts.append(data)


def latin_words(page: str, names: set[str] = frozenset()) -> Counter:
    """Return the Latin words of a page in HTML with their numbers, without known ones and names."""
    text = _words(page)
    found = Counter(WORD.findall(text))
    return Counter({word: n for word, n in found.items() if word not in KNOWN | names})


def chinese_letters(page: str) -> int:
    """Return the number of Chinese characters of a page in HTML."""
    return len(CHINESE.findall(_words(page)))


def _words(page: str) -> str:
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.parts)


def main(folder: Path) -> int:
    """Print what is counted in each Chinese page of a folder of reports; 1 if there are any."""
    total = Counter()
    for path in sorted(folder.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        if 'lang="zh' not in page[:400]:
            continue
        names = set(WORD.findall(" ".join(path.relative_to(folder).parts[:-1])))
        found = latin_words(page, names)
        total += found
        most = ", ".join(f"{word} {n}" for word, n in found.most_common(12))
        print(f"{found.total():5d} {chinese_letters(page):6d} {path.relative_to(folder)}: {most}")
    print(f"{total.total()} Latin words")
    return int(total.total() > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "reports")))
