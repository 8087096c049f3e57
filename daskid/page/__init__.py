"""A run as one self-contained HTML page, as sentences, and as a table."""

from pathlib import Path

import xarray as xr

from daskid.page.results import table
from daskid.page.summary import summary

__all__ = ["report", "summary", "table"]


def report(ds: xr.Dataset, out: str | Path, *, interactive: bool | None = None) -> Path:
    """Write a page about a run: one HTML file that needs no network.

    *Computes* all it needs at once: small variables, counts of locations and of the halo, the
    vectors of ln mu, of log densities with their errors and of k*, and a sample of at most
    20,000 rows; never a table of all neighbors. Sections whose variables are missing are left out.

    With ``pip install 'daskid[page]'`` samples, the disconnectivity graph and the matrix of
    saddles can be zoomed and picked from; what is picked in one is picked in all. All samples
    are then put on a plane, block by block, 16 bytes for each; peaks are gathered in one task.
    Where scripts are off, and on paper, the page shows still figures.

    Parameters
    ----------
    ds
        A run, with any of the variables.
    out
        The file to write; one that exists is replaced.
    interactive
        Whether to add the figures of Bokeh, 1.3 MB or more; by default where it is installed.

    Returns
    -------
    The path of the page.

    Raises
    ------
    SchemaError
        If ``ds`` is not a Dataset, or not a run.
    ValueError
        If ``out`` is a folder, or lies in a folder that does not exist.
    ImportError
        If ``interactive`` is asked for and Bokeh or datashader is missing.

    Examples
    --------
    >>> import numpy as np, tempfile, xarray as xr
    >>> x = np.random.default_rng(0).random((100, 2))
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), x)}, attrs={"source": "made up"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report(ds, f"{folder}/page.html").name
    'page.html'
    """
    from daskid.page import document, explore  # matplotlib is slow to import: only where it draws

    path = Path(out)
    if path.is_dir():
        raise ValueError(f"out: expected a file, got the folder {path}: add a name, page.html")
    if not path.parent.is_dir():
        raise ValueError(f"out: expected an existing folder, got {path.parent}: make it first")
    there = explore.installed()
    if interactive and not there:
        raise ImportError(
            "interactive: expected bokeh and datashader, which are not installed: "
            "pip install 'daskid[page]', or take interactive=False"
        )
    text = document.page(ds, interactive=there if interactive is None else interactive)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)
