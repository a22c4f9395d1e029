"""What the command prints: texts as they are, which neither are markup nor control a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


class PlainConsole(Console):
    """Prints texts of users and their files as they stand there."""

    def __init__(self, **how: object) -> None:
        super().__init__(markup=False, emoji=False, **how)

    def render_str(self, text: str, **how: object) -> Text:
        """Return a text, also one in a table, without what would control the terminal."""
        return super().render_str(plain(text), **how)


def plain(text: str) -> str:
    """Return a text with a blank for each character, line ends aside, that is not printable."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def styled(first: str, style: str, rest: str) -> Text:
    """Return a text whose first words have a style."""
    return Text.assemble((plain(first), style), plain(f" {rest}"))
