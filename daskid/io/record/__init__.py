"""Activations of a torch model, streamed to Zarr batch by batch."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from daskid.io.record import modules
from daskid.io.record.modules import Batch, Watch
from daskid.io.record.writing import (
    INPUT_HASH,
    Recorded,
    Writing,
    chunk_rows,
    recorded_hashes,
    state_of,
)
from daskid.storage import ledger
from daskid.typing import Array

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger("daskid")


def record(
    model: Any,
    loader: Iterable[Any],
    store: str | Path,
    *,
    layers: str | Sequence[str] | None = None,
    reduce: modules.Reduce | Literal["mean"] | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    overwrite: bool = False,
) -> "xr.DataTree":
    """Record what the layers of a torch model say to every sample. *Computes*.

    Forward hooks take what modules return, batch by batch, into a Zarr group with a group for
    each layer: whole rows a chunk, at most a chunk (32 MB over all layers) and a batch in
    memory. A recording that was killed goes on where it was when it is called again: batches
    that are done are read from the loader, compared with what was recorded, and not computed.

    Parameters
    ----------
    model
        A ``torch.nn.Module``; it is in evaluation mode meanwhile.
    loader
        Batches in a fixed order: a tensor; ``(input, label)`` or ``(input, label, id)``, where
        the input may be a tuple of tensors; or a dict of tensors that are the model's
        keywords, with ``labels`` and ``sample_id`` if there are some.
    store
        Path of the Zarr group.
    layers
        Names of modules, or patterns such as ``"encoder.layer.*"``, and ``"input"``. By default
        the input and all modules without children, but those that change nothing
        in evaluation (dropout, flatten).
    reduce
        None keeps all numbers that a layer gives a sample, in a row. ``"mean"`` averages over
        tokens (b, tokens, features) or pixels (b, channels, ...); padding is left out where
        batches have an ``attention_mask``. A function takes the name of the layer, its tensor,
        and the batch (with ``positional`` and ``named`` inputs) and returns a tensor with samples
        first.
    dtype
        float32, or float16 for half of the room; values beyond it are refused.
    overwrite
        Replace what another model or other layers have left in the store.

    Returns
    -------
    The tree, as :func:`daskid.open_layers` opens it: ``rows`` of each layer, in the order in
    which they ran, with ``attrs["depth"]``, the share of modules with weights that had run by
    then; and the coordinates ``true_label``, ``predicted_label`` (of the highest score, for models
    that return (b, classes)) and ``sample_id`` as far as they are there. Of a module that
    returns several tensors the first is taken; one that runs more than once in a pass is
    recorded as ``name``, ``name.call2``, ...

    Raises
    ------
    ImportError
        If torch is not installed: only this function needs it.
    ValueError
        If a loader shuffles, or gives other samples than an interrupted recording had; if the store
        holds another recording and ``overwrite`` is not set; if no module has such a name;
        if activations are not finite, or have no samples along the first axis.
    TypeError
        If batches hold no tensors.
    FileExistsError
        If the path holds something else.
    BlockingIOError
        If another process is recording to the store.
    """
    path = str(Path(store).absolute())
    state_of(path)
    _check_order(loader)
    folder = ledger.folder_of(path, "record")
    names = modules.chosen(model, layers)
    with ledger.writing(folder):
        try:
            with _evaluating(model), Watch(model, names, reduce, np.dtype(dtype)) as watch:
                _record(watch, iter(loader), path, folder, overwrite=overwrite)
        finally:
            state = state_of(path)
            if state is None or state["complete"]:
                ledger.clear(folder)
    from daskid.io.layers import open_layers

    return open_layers(path)


def _check_order(loader: Any) -> None:
    torch = modules.torch()
    if isinstance(getattr(loader, "sampler", None), torch.utils.data.RandomSampler):
        raise ValueError(
            "loader: expected samples in a fixed order, got a loader that shuffles: pass "
            "shuffle=False"
        )


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


def _record(
    watch: Watch, batches: Iterator[Any], path: str, folder: str, *, overwrite: bool
) -> None:
    try:
        earliest = modules.taken(next(batches))
    except StopIteration:
        raise ValueError("loader: expected batches, got none: give it samples") from None
    first = _run(watch, earliest)
    plan = _plan(watch, first)
    if not overwrite and _complete(path, plan, first):
        log.info("record: %s holds this recording", path)
        return
    ledger.begin(folder, plan, overwrite=overwrite)
    writing = Writing(path, folder, first, watch.depth(), plan)
    begun, position = writing.done, 0
    for batch in chain([earliest], map(modules.taken, batches)):
        own = modules.hashes(batch)
        _check_known(writing.known(position, position + own.size), own, position)
        if position + own.size > begun:
            writing.add(_after(_run(watch, batch), max(begun - position, 0)))
        position += own.size
    if position < begun:
        raise ValueError(
            f"loader: expected the {begun} samples that are recorded and what follows, got "
            f"{position}: give it the same samples as before"
        )
    writing.finish()


def _run(watch: Watch, batch: Batch) -> Recorded:
    """Return what the layers say to a batch, and what lies beside it."""
    rows, output = watch.run(batch)
    if not rows:
        raise ValueError(
            "layers: expected modules that run in a forward pass, got none that does: choose others"
        )
    beside: dict[str, Array | None] = {
        INPUT_HASH: modules.hashes(batch),
        "true_label": batch.label,
        "predicted_label": modules.predicted(output, len(batch.tensors()[0])),
        "sample_id": batch.sample_id,
    }
    return Recorded(rows, {name: x for name, x in beside.items() if x is not None})


def _after(batch: Recorded, start: int) -> Recorded:
    return Recorded(
        {n: x[start:] for n, x in batch.layers.items()},
        {n: x[start:] for n, x in batch.beside.items()},
    )


def _plan(watch: Watch, first: Recorded) -> dict[str, Any]:
    """Return what must be the same for a recording to go on."""
    reduce = watch.reduce
    return {
        "layers": {name: x.shape[1] for name, x in first.layers.items()},
        "beside": sorted(first.beside),
        "model": modules.checksum(watch.model),
        "reduce": getattr(reduce, "__qualname__", repr(reduce)) if callable(reduce) else reduce,
        "dtype": str(watch.dtype),
        "rows": chunk_rows(first),
    }


def _complete(path: str, plan: dict[str, Any], first: Recorded) -> bool:
    """Return whether the store holds this very recording.

    Raises
    ------
    ValueError
        If it holds another one that is complete.
    """
    state = state_of(path)
    if state is None or not state["complete"]:
        return False
    changed = sorted(key for key in plan if state["plan"].get(key) != plan[key])
    if changed:
        raise ValueError(
            f"store: expected the recording that {path!r} holds, got other {', '.join(changed)}: "
            "use another store, or overwrite"
        )
    hashes = first.beside[INPUT_HASH]
    _check_known(recorded_hashes(path, hashes.size), hashes, 0)
    return True


def _check_known(known: Array, own: Array, position: int) -> None:
    if (differs := known != own[: known.size]).any():
        i = position + int(np.flatnonzero(differs)[0])
        raise ValueError(
            f"loader: expected at sample {i} the one that is recorded, got another one: give the "
            "samples in the same order as before, or use another store"
        )
