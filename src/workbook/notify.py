"""What a run without a person tells at its end, by a command of the user's."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from analysis.data.errors import DataError

VARIABLE = "WORKBOOK_SUMMARY"
"""Of the command's environment: the summary as JSON."""


def arguments(command: str) -> list[str]:
    """Return a command's words; a `DataError` where it can't be read, or names no program."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DataError(f"--notify {command!r} can't be read: {error}.") from None
    if not words:
        raise DataError("--notify needs a command, such as 'mail -s Reports someone@example.org'.")
    return words


def last_run(reports: Path) -> int:
    """Return the number of the last run of a folder's history, 0 where there is none."""
    from workbook.pages import history

    runs = history.read(reports)["run"]
    return int(runs.max()) if len(runs) else 0


def summary(
    source: str, reports: Path, before: int, code: int, failed: Sequence[str], error: str = ""
) -> dict:
    """Return what a run came to, as plain values; `before` is as from `last_run`, before it.

    source, exit_code, error (why nothing ran; empty otherwise), failed (reports that failed or
    were refused, each with the reason), moved (verdicts that the last run changed: claim, region
    (empty: over all regions), before, after, causes), index (the page).
    """
    return {
        "source": source,
        "exit_code": code,
        "error": error,
        "failed": sorted(failed),
        "moved": _moved(source, reports) if not error and last_run(reports) > before else [],
        "index": str((reports / "index.html").resolve()),
    }


def in_words(what: dict) -> str:
    """Return a summary as lines of text."""
    lines = [f"workbook run --source {what['source']}: exit code {what['exit_code']}"]
    lines += [what["error"]] if what["error"] else []
    lines += [f"failed: {each}" for each in what["failed"]]
    for each in what["moved"]:
        where = each["region"] or "all regions together"
        why = ", ".join(each["causes"]) or "not recorded"
        turn = f"{each['before'] or 'new'} -> {each['after'] or 'gone'}"
        lines.append(f"{each['claim']} in {where}: {turn} (because of: {why})")
    if not (what["moved"] or what["error"]):
        lines.append("No verdict moved.")
    return "\n".join([*lines, what["index"]]) + "\n"


def tell(words: Sequence[str], what: dict) -> str:
    """Call a command with a summary; return why it could not be told, if it could not.

    The command reads the text from its standard input, and JSON from the environment.
    """
    environment = os.environ | {VARIABLE: json.dumps(what, ensure_ascii=False)}
    try:
        done = subprocess.run(words, input=in_words(what), text=True, env=environment, check=False)
    except OSError as error:
        return f"--notify: {words[0]}: {os.strerror(error.errno)}."
    return f"--notify: {words[0]} ended with {done.returncode}." if done.returncode else ""


def _moved(source: str, reports: Path) -> list[dict]:
    """Return the verdicts that the last run changed."""
    from workbook.pages import history

    found = history.changes(history.read(reports))
    found = found[found["source"] == source].fillna({"before": "", "verdict": ""})
    found = found[found["before"] != found["verdict"]]
    return [
        {
            "claim": row.hypothesis,
            "region": row.region,
            "before": row.before,
            "after": row.verdict,
            "causes": list(row.causes),
        }
        for row in found.itertuples()
    ]
