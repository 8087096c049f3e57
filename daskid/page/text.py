"""Text from the data, made safe to print and to put into HTML."""

import html
from unicodedata import category

LIMIT = 200  # characters of a text from the data that are shown; the rest is in its title


def one_line(value: object, limit: int = LIMIT) -> str:
    r"""Return text for one line of a terminal: no control characters, shortened.

    Examples
    --------
    >>> one_line("a\x1b[31mb" + "c" * 10, 8)
    'a [31mb…'
    """
    line = "".join(c if c.isprintable() else " " for c in str(value)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def escape(value: object) -> str:
    """Return text for HTML, in a quoted attribute or between tags."""
    clean = "".join(
        "\N{REPLACEMENT CHARACTER}" if category(c) in ("Cc", "Cs") and c != "\n" else c
        for c in str(value)
    )
    return html.escape(clean, quote=True)


def foreign(value: object, limit: int = LIMIT) -> str:
    """Return text of unknown script and length for HTML.

    Its direction does not leak into the line around it; what is cut off is in the title.

    Examples
    --------
    >>> foreign("<script>")
    '<bdi>&lt;script&gt;</bdi>'
    """
    whole = str(value)
    if len(whole) <= limit:
        return f"<bdi>{escape(whole)}</bdi>"
    return f'<bdi title="{escape(whole)}">{escape(whole[: limit - 1])}…</bdi>'
