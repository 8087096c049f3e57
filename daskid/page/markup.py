"""Pieces of HTML: tables, terms, sections. What they are given is HTML already."""

from collections.abc import Iterable, Sequence

from daskid.page.text import escape


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table whose first column names the rows; it scrolls by itself if too wide."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    top = f"<thead><tr>{top}</tr></thead>" if head else ""
    body = "".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{c}</td>" for c in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{caption}">'
        f"<table{_class(kind)}><caption>{caption}</caption>{top}<tbody>{body}</tbody></table></div>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def section(name: str, title: str, body: str) -> str:
    """Return a section with its heading."""
    heading = f'<h2 id="{name}-h">{title}</h2>'
    named = f'id="{name}" aria-labelledby="{name}-h"'
    return f"<section {named}{scripted(name)}>{heading}{body}</section>"


def scripted(name: str) -> str:
    """Return the class of what is seen only where scripts run: a section, the link to it."""
    return _class("scripted") if name == "explore" else ""


def bullets(lines: Iterable[str], kind: str = "") -> str:
    """Return a list of plain sentences."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul{_class(kind)}>{items}</ul>" if items else ""


def code(lines: Iterable[str]) -> str:
    """Return commands, one a line."""
    text = escape("\n".join(lines))
    return f'<pre tabindex="0" aria-label="Commands"><code>{text}</code></pre>'
