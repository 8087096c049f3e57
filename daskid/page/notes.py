"""What figures leave out, below tables, and intervals of states as text."""

from collections.abc import Iterable

from daskid.page.text import escape, foreign

ERRORS = "What the errors, one standard error each, cover:"


def notes(lines: Iterable[tuple[str, str]], head: str = ERRORS) -> str:
    """Return a list of notes below a table, each with what it is of; nothing without any."""
    items = "".join(f"<li>{escape(of)}{foreign(text, 600)}</li>" for of, text in lines if text)
    return f'<div class="notes"><p>{escape(head)}</p><ul>{items}</ul></div>' if items else ""
