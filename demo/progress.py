"""Progress on stderr: a line for each stage of the demo."""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from comity.client.terminal import err


def progress_bars() -> Progress:
    """Return an empty list of stages."""
    columns = (TextColumn("{task.description:44}"), BarColumn(20), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err)


def stage(progress: Progress, description: str, total: int) -> Callable[[], None]:
    """Begin a stage of ``total`` steps; call what is returned after each."""
    task = progress.add_task(description, total=total)
    return lambda: progress.advance(task)
