"""What torch gives: the modules of a model, what they return, and how deep they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import blake2b
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from daskid.typing import Array

INPUT = "input"
PASSING = ("Dropout", "Identity", "Flatten", "Unflatten")
"""Modules that leave a representation as it is, recorded only by name."""
LABELS, IDS = ("labels", "label"), ("sample_id", "id")
MASK = "attention_mask"
"""Keyword of models of text: (b, tokens), 1 for a token, 0 for padding."""
Reduce = Callable[[str, Any, Any], Any]


class Batch(NamedTuple):
    """What a model is called with, and what lies beside it: labels and ids, None for none."""

    positional: tuple[Any, ...]
    named: dict[str, Any]
    label: Array | None
    sample_id: Array | None

    def tensors(self) -> list[Any]:
        """Return the inputs."""
        return [*self.positional, *self.named.values()]


def torch() -> Any:
    """Return torch.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module("torch")
    except ImportError as error:
        raise ImportError(
            "record: expected torch, got none: pip install 'daskid[torch]'; it is not needed to "
            "analyze what was recorded"
        ) from error


def taken(batch: Any) -> Batch:
    """Return a batch of a loader, whatever its form.

    Raises
    ------
    TypeError
        If it holds no tensor.
    """
    tensor = torch().Tensor
    if isinstance(batch, Mapping):
        given = dict(batch)
        label, ids = (_first_of(given, names) for names in (LABELS, IDS))
        found = Batch((), given, _values(label), _values(ids))
    else:
        parts = list(batch) if isinstance(batch, list | tuple) else [batch]
        inputs = parts[0] if parts else ()
        positional = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
        more = [_values(part) for part in parts[1:3]] + [None, None]
        found = Batch(positional, {}, more[0], more[1])
    if not found.tensors() or not all(isinstance(x, tensor) for x in found.tensors()):
        raise TypeError(
            f"loader: expected batches of tensors, (tensor, label) or dicts of tensors, got "
            f"{type(batch).__name__}: wrap the loader"
        )
    return found


def _first_of(given: dict[str, Any], names: Sequence[str]) -> Any:
    found = [given.pop(name) for name in names if name in given]
    return found[0] if found else None


def _values(x: Any) -> Array | None:
    """Return labels or ids as (b,) numbers or text; None where there are others."""
    if x is None:
        return None
    values = np.atleast_1d(np.asarray(x.detach().cpu() if hasattr(x, "detach") else x))
    values = values.reshape(len(values), -1)[:, 0] if values.size == len(values) else values
    if values.ndim != 1 or values.dtype.kind not in "biufUT":
        return None
    if values.dtype.kind in "UT":
        return values.astype(np.dtypes.StringDType())
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def hashes(batch: Batch) -> Array:
    """Return (b,) hashes of the inputs of each sample."""
    inputs = [np.ascontiguousarray(x.detach().cpu().numpy()) for x in batch.tensors()]
    out = np.empty(len(inputs[0]), np.uint64)
    for i in range(out.size):
        digest = blake2b(digest_size=8)
        for x in inputs:
            digest.update(x[i].tobytes())
        out[i] = int.from_bytes(digest.digest(), "little")
    return out


def checksum(model: Any) -> str:
    """Return a hash of all parameters and buffers of a model."""
    digest = blake2b(digest_size=16)
    for name, x in model.state_dict().items():
        digest.update(name.encode())
        if hasattr(x, "detach"):
            flat = x.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch().uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()


def chosen(model: Any, layers: str | Sequence[str] | None) -> list[str]:
    """Return the names of the modules to watch; all without children where none are named.

    Raises
    ------
    ValueError
        If a name or pattern fits none; it lists the modules.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    if layers is None:
        leaves = [n for n, m in modules.items() if not any(True for _ in m.children())]
        return [INPUT] + [n for n in leaves if not type(modules[n]).__name__.startswith(PASSING)]
    patterns = [layers] if isinstance(layers, str) else list(layers)
    names = [INPUT, *modules]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(
                f"layers: expected names or patterns of modules, got {pattern!r}: choose among "
                f"{', '.join(names)}"
            )
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]


class Watch:
    """Hooks on the modules of a model, which keep what these return, as rows in memory."""

    def __init__(
        self, model: Any, names: Sequence[str], reduce: Reduce | str | None, dtype: np.dtype[Any]
    ):
        """Nothing is registered before the context is entered."""
        self.model, self.names = model, set(names)
        self.reduce, self.dtype = reduce, dtype
        self.found: dict[str, Array] = {}
        self.calls: dict[str, int] = {}
        self.weighted = 0
        self.below: dict[str, int] = {}
        self.handles: list[Any] = []
        self.batch: Batch | None = None

    def __enter__(self) -> "Watch":
        for module in self.model.modules():
            if any(p.ndim > 1 for p in module.parameters(recurse=False)):
                self.handles.append(module.register_forward_hook(self._count))
        for name, module in self.model.named_modules():
            if name in self.names and name:
                self.handles.append(module.register_forward_hook(self._keep(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()

    def _count(self, *_: Any) -> None:
        self.weighted += 1

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(_: Any, __: Any, output: Any) -> None:
            self.calls[name] = call = self.calls.get(name, 0) + 1
            self._take(name if call == 1 else f"{name}.call{call}", output)

        return hook

    def _take(self, name: str, output: Any) -> None:
        x = next(_floating(output), None)
        if x is None:
            raise ValueError(
                f"layers: expected {name!r} to return a tensor of real numbers, got "
                f"{type(output).__name__}: leave it out of layers"
            )
        self.found[name] = rows_of(name, x, self.batch, self.reduce, self.dtype)
        self.below[name] = self.weighted

    def run(self, batch: Batch) -> tuple[dict[str, Array], Any]:
        """Return the (b, features) rows of every module by name, in the order of the calls."""
        self.found, self.calls, self.weighted, self.batch = {}, {}, 0, batch
        if INPUT in self.names and next(_floating(batch.tensors()), None) is not None:
            self._take(INPUT, batch.tensors())
        device = next((p.device for p in self.model.parameters()), None)
        placed = [x.to(device) for x in batch.positional]
        with torch().no_grad():
            output = self.model(*placed, **{n: x.to(device) for n, x in batch.named.items()})
        return self.found, output

    def depth(self) -> dict[str, float]:
        """Return relative depths: the share of modules with weights that ran up to each layer."""
        total, order = self.weighted, list(self.below)
        if not total:
            return {name: i / max(len(order) - 1, 1) for i, name in enumerate(order)}
        return {name: below / total for name, below in self.below.items()}


def _floating(output: Any) -> Iterator[Any]:
    """Yield the tensors of real numbers in what a module returns, first ones first."""
    if isinstance(output, torch().Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _floating(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _floating(value)


def rows_of(
    name: str, x: Any, batch: Batch | None, reduce: Reduce | str | None, dtype: np.dtype[Any]
) -> Array:
    """Return the (b, features) rows of what one module returned.

    Raises
    ------
    ValueError
        If the first axis is not the samples, or values are not finite in this dtype.
    """
    b = 0 if batch is None else len(batch.tensors()[0])
    if callable(reduce):
        x = reduce(name, x, batch)
    elif reduce == "mean" and x.ndim > 2:
        x = _mean(x, batch)
    if x.ndim < 1 or x.shape[0] != b:
        raise ValueError(
            f"layers: expected {b} samples along the first axis of {name!r}, got the shape "
            f"{tuple(x.shape)}: leave it out of layers, or give a reduce that puts samples first"
        )
    values = x.detach().reshape(b, -1).float().cpu().numpy()
    with np.errstate(over="ignore"):
        rows = np.array(values, dtype)
    if not np.isfinite(rows).all():
        largest = float(np.nanmax(np.abs(values)))
        raise ValueError(
            f"layers: expected finite activations of {name!r} in {dtype}, got NaN or infinite ones "
            f"(the largest is {largest:g}): take float32, or mend the model"
        )
    return rows


def _mean(x: Any, batch: Batch | None) -> Any:
    """Return means over tokens that are no padding, or over pixels."""
    if x.ndim > 3:
        return x.flatten(2).mean(dim=2)
    mask = batch.named.get(MASK) if batch is not None else None
    if mask is None or tuple(mask.shape) != tuple(x.shape[:2]):
        return x.mean(dim=1)
    held = (mask.to(x.device) != 0)[..., None]
    return x.float().masked_fill(~held, 0).sum(dim=1) / held.sum(dim=1).clamp(min=1)


def predicted(output: Any, b: int) -> Array | None:
    """Return the class of the highest score, where a model returns (b, classes) scores."""
    x = next(_floating(output), None)
    if x is None or x.ndim != 2 or x.shape[0] != b or x.shape[1] < 2:
        return None
    return np.asarray(x.argmax(dim=1).cpu().numpy(), np.int64)
