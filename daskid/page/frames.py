"""What frames in time do to a dimension, in plain sentences."""

import numpy as np

from daskid import variables as v
from daskid.page.facts import Facts, parameters, samples
from daskid.page.numbers import count, plus_minus, share
from daskid.page.results import Result, joined, kept_at, method, of, same

ONE_PASSAGE = 0.05  # share of samples: from here on neighbors on one passage mislead
FEW_BLOCKS = 10
SHORT, TOO_SHORT = 0.02, 0.1  # shares of lists: of note, and too many for an error
METHODS = (v.id_twonn, v.id_gride, v.id_mle)


def two_passages(facts: Facts) -> Result | None:
    """Return the dimension at the run's own window, at the largest where it has none."""
    good = [r for r in of(facts, v.id_window.name) if np.isfinite(r.value)]
    stored = parameters(facts.ds, v.neighbor_distance.name).get("exclude")
    own = [r for r in good if stored and kept_at(r) == stored]
    return own[0] if own else good[-1] if good and kept_at(good[-1]) > 0 else None


def misled(facts: Facts) -> Result | None:
    """Return the same, where lists of plain neighbors give another dimension."""
    found = two_passages(facts)
    return found if found and _share(facts, found) > ONE_PASSAGE else None


def _share(facts: Facts, r: Result) -> float:
    if v.id_window_shared.name not in facts.values:
        return 0.0
    return float(facts.values[v.id_window_shared.name].sel(window=kept_at(r)))


def sentences(facts: Facts) -> list[str]:
    """Return what the dimension is without a window and with one."""
    found, every = two_passages(facts), of(facts, v.id_window.name)
    none = next((r for r in every if kept_at(r) == 0 and np.isfinite(r.value)), None)
    if found is None or none is None:
        return []
    some = "" if found.samples is None else f" of {count(found.samples, 'frame')}"
    told = (
        f"With neighbors in time TwoNN{some} reads {plus_minus(none.value, none.error)}; without "
        f"(frames within {kept_at(found):,} of a sample, or of its first neighbor) "
        f"{plus_minus(found.value, found.error)}{', the same within errors' * same(none, found)}."
    )
    longest = [r for r in every if np.isfinite(r.value)][-1]
    wider = f" With a window of {kept_at(longest):,} frames "
    if kept_at(longest) == kept_at(found):
        return [told]
    if same(found, longest):
        return [told + wider + "nothing changes within errors."]
    return [told + wider + f"it reads {plus_minus(longest.value, longest.error)}: "
            "frames further apart are still related."]  # fmt: skip


def cautions(facts: Facts) -> list[str]:
    """Return what to be wary of where samples are frames in time."""
    return [line for part in (_misled, _no_passage, _blocks, _short) for line in part(facts)]


def _misled(facts: Facts) -> list[str]:
    found = misled(facts)
    plain = joined([method(r) for m in METHODS for r in of(facts, m.name)[:1]])
    if found is None or not plain:
        return []
    part = _percent(_share(facts, found))
    verb = "are" if " and " in plain else "is"
    return [
        f"In {part} of samples the two nearest neighbors outside the window are frames of one "
        f"passage of the trajectory, so that {plain} {verb} wrong here: take the value of two "
        f"passages, or keep one frame in {kept_at(found):,}."
    ]


def _no_passage(facts: Facts) -> list[str]:
    n = samples(facts) if facts.locations is None else facts.locations
    asked = parameters(facts.ds, v.id_window.name).get("samples")
    if n is None or not isinstance(asked, int):
        return []
    anchors = min(asked, n)
    used = [r for r in of(facts, v.id_window.name) if r.samples is not None]
    worst = min(used, key=lambda r: r.samples or 0, default=None)
    if worst is None or worst.samples == anchors:
        return []
    return [
        f"{method(worst)} used {worst.samples:,} of {count(anchors, 'anchor')} for {worst.at}; "
        "the others have no neighbor on another passage."
    ]


def _blocks(facts: Facts) -> list[str]:
    few: dict[int, list[str]] = {}
    for m in METHODS:
        if (name := f"{m.name}_error_blocks") in facts.values:
            n = int(facts.values[name])
            if n < FEW_BLOCKS:
                few.setdefault(n, []).append(method(of(facts, m.name)[0]))
    return [
        f"The error{'s' if len(names) > 1 else ''} of {joined(names)} "
        f"{'come' if len(names) > 1 else 'comes'} from {count(n, 'block')} of frames, where "
        f"{FEW_BLOCKS} or more are needed: rough at best."
        for n, names in few.items()
    ]


def _short(facts: Facts) -> list[str]:
    lines = []
    for m in METHODS:
        if (name := f"{m.name}_error_short") not in facts.values:
            continue
        every = np.atleast_1d(facts.values[name].values)
        worst = int(np.nanargmax(every)) if np.isfinite(every).any() else 0
        if every[worst] > SHORT:
            r = of(facts, m.name)[worst]
            at = f" for {r.at}" if r.at else ""
            said = "there is no error" if every[worst] > TOO_SHORT else "its error is rough"
            lines.append(
                f"Half of the blocks leave too few neighbors in {_percent(every[worst])} of "
                f"the lists of {method(r)}{at}: {said}. Run knn with a larger k."
            )
    return lines


def _percent(part: float) -> str:
    return share(round(1e6 * part), 10**6)
