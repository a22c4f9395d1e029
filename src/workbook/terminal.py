"""What a terminal shows while a run goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from datetime import timedelta
from threading import Event, RLock, Thread

from rich import progress
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column
from rich.text import Text

REFRESH = 0.25
"""Seconds between two looks at what is running."""


class Display:
    """The bar over all steps and, below it, what is running.

    Lines are printed and the display is refreshed under one lock, from a thread of its own: that of
    `rich.live.Live` lets a line of another thread come between its movements of the cursor.
    """

    def __init__(self, console: Console, steps: int, time_left: Callable[[], float]) -> None:
        name = Column(no_wrap=True, overflow="ellipsis")
        text = progress.TextColumn("{task.description}", markup=False, table_column=name)
        self._running, self._rows = progress.Progress(text, progress.TimeElapsedColumn()), {}
        left = progress.TextColumn("{task.fields[left]}")
        bar = (progress.BarColumn(), progress.MofNCompleteColumn(), left)
        self._all = progress.Progress("Reports", *bar)
        self._bar = self._all.add_task("", total=steps, left="")
        self._time_left = time_left
        self._lock, self._over, self._console = RLock(), Event(), console
        quiet = {"auto_refresh": False, "redirect_stdout": False, "redirect_stderr": False}
        self._live = Live(console=console, transient=True, get_renderable=self._render, **quiet)
        self._live.start(refresh=True)
        Thread(target=self._refresh, daemon=True).start()

    def print(self, lines: Text) -> None:
        """Print lines above the display."""
        with self._lock:
            self._console.print(lines, soft_wrap=True)

    def started(self, step: Hashable, name: str) -> None:
        """Show a step."""
        if step not in self._rows:
            self._rows[step] = self._running.add_task(name, total=None)

    def ended(self, step: Hashable, done: int) -> None:
        """Take a step away, and move the bar."""
        if step in self._rows:
            self._running.remove_task(self._rows.pop(step))
        self._all.update(self._bar, completed=done)

    def stop(self) -> None:
        """Take all of it away."""
        with self._lock:
            self._over.set()
            self._live.stop()

    def _refresh(self) -> None:
        """Bring the display up to date, again and again."""
        while not self._over.wait(REFRESH):
            with self._lock:
                if not self._over.is_set():
                    self._live.refresh()

    def _render(self) -> Group:
        """Return the bar with the time left, and the rows."""
        left = self._time_left()
        said = "" if math.isnan(left) else f"{timedelta(seconds=int(left))} left"
        self._all.update(self._bar, left=said)
        return Group(self._all, self._running)
