# SPDX-License-Identifier: Apache-2.0
"""Markdown of the reference: tables and pages."""

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `make reference` from the code; changes here are lost. -->"


def page(title: str, *parts: str) -> str:
    """Return a page that ends with one line break."""
    return "\n\n".join([NOTICE, f"# {title}", *(p.strip() for p in parts if p.strip())]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing when it has no rows."""
    lines = [_row(cells) for cells in rows]
    if not lines:
        return ""
    return "\n".join([_row(head, escape=False), "|" + "---|" * len(head), *lines])


def code(text: object) -> str:
    """Return inline code; nothing of nothing."""
    return f"`{text}`" if str(text) else ""


def one_line(text: str) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join(text.strip().partition("\n\n")[0].split())


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    texts = (" ".join(c.split()).replace("|", "\\|") if escape else c for c in cells)
    return f"| {' | '.join(texts)} |"
