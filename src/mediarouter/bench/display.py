"""How a benchmark shows itself: a progress bar while it measures, then a table or JSON, and a picture on demand."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, markup=False, highlight=False)

Tell = Callable[[str, float], None]  # what is done now, which share of the work is done (0..1)


def silent(what: str, share: float) -> None:
    """Tell nobody."""


@contextmanager
def progress_bar(title: str) -> Iterator[Tell]:
    """A small bar on standard error, when that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda what, share: bar.update(task, description=f"{title}: {what}", completed=share)


def show(title: str, figures: dict[str, Any], *, as_json: bool) -> None:
    """A line of JSON, or tables: a list of rows becomes a table of its own."""
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value", title=title)
    rows = {name: value for name, value in figures.items() if _is_rows(value)}
    for name, value in figures.items():
        if name not in rows:
            table.add_row(name, _shown(value))
    console.print(table)
    for name, value in rows.items():
        inner = Table(title=name)
        for column in value[0]:
            inner.add_column(column, overflow="fold")
        for row in value:
            inner.add_row(*(_shown(cell) for cell in row.values()))
        console.print(inner)


def check_plot(path: Path) -> None:
    """Find out before a long run whether a picture can be made.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: the file's suffix is no format of pictures.
    """
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:] not in formats:
        raise ValueError(f"{path.suffix or 'no suffix'} is no format of pictures: {', '.join(sorted(formats))}")


def save(draw: Callable[[Any, dict[str, Any]], None], figures: dict[str, Any], path: Path) -> None:
    """Draw figures into a picture.

    Args:
        draw: takes matplotlib axes and the figures.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    draw(figure.subplots(), figures)
    figure.savefig(path, dpi=100)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value)
