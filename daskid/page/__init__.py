"""A run as one self-contained HTML page, as sentences, and as a table."""

from pathlib import Path

import xarray as xr

from daskid.page.results import table
from daskid.page.summary import summary

__all__ = ["report", "summary", "table"]


def report(ds: xr.Dataset, out: str | Path) -> Path:
    """Write a page about a run: one HTML file that needs no network and no script.

    *Computes* all it needs at once: small variables, counts of locations and of the halo, the
    vectors of ln mu, of log densities with their errors and of k*, and a sample of at most
    20,000 rows; never a table of all neighbors. Sections whose variables are missing are left out.

    Parameters
    ----------
    ds
        A run, with any of the variables.
    out
        The file to write; one that exists is replaced.

    Returns
    -------
    The path of the page.

    Raises
    ------
    SchemaError
        If ``ds`` is not a Dataset, or not a run.
    ValueError
        If ``out`` is a folder, or lies in a folder that does not exist.

    Examples
    --------
    >>> import numpy as np, tempfile, xarray as xr
    >>> x = np.random.default_rng(0).random((100, 2))
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), x)}, attrs={"source": "made up"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report(ds, f"{folder}/page.html").name
    'page.html'
    """
    from daskid.page import document  # matplotlib is slow to import: only where it draws

    path = Path(out)
    if path.is_dir():
        raise ValueError(f"out: expected a file, got the folder {path}: add a name, page.html")
    if not path.parent.is_dir():
        raise ValueError(f"out: expected an existing folder, got {path.parent}: make it first")
    text = document.page(ds)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)
