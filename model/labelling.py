"""Names for concepts and for the two ends of a dimension, derived from item metadata; none where the evidence is weak."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from macrid.artifacts.schema import Float32Array
from macrid.model.items import Items, Value

MIN_ITEMS = 30  # fewer items of a concept are no evidence for a name
MIN_RANK_CORRELATION = 0.4  # a dimension weaker than this against every column stays without a name
MIN_CONTRAST = 0.3  # share of an end's items that have the word, beyond the other end's …
MIN_STANDARD_ERRORS = 4  # … and by so many standard errors: among thousands of words and dimensions, fewer are chance
END_SHARE = 0.2  # the fifth of the concept's items at each end is contrasted with the other


@dataclass(frozen=True)
class EndNames:
    """Names of a dimension's low and high end within one concept (None: nothing names it), and how strong the evidence is."""

    low: str | None
    high: str | None
    strength: float


class Vocabulary:
    """The words and values that items have: text columns split at '|', and the words of titles."""

    def __init__(self, items: Items) -> None:
        text = [column.name for column in items.columns if column.kind == "text"]
        self._values = [frozenset(_values(row)) for row in zip(*(items.column(name) for name in text), strict=True)]
        self._words = [frozenset(re.findall(r"[^\W\d_]{3,}", title.lower())) for title in items.titles]
        self._numbers = {
            column.name: np.array(
                [np.nan if value is None else value for value in items.column(column.name)], dtype=np.float64
            )
            for column in items.columns
            if column.kind != "text"
        }
        if not text:
            self._values = [frozenset()] * len(items.item_ids)

    def concept_labels(self, assignment: npt.NDArray[np.int64], concepts: int) -> list[str]:
        """A label for each concept: the value most over-represented among its items, a second where two would read alike.

        Args:
            assignment: (M,) the concept of each item.
            concepts: K.
        """
        everywhere = _shares(self._values)
        ranked = [self._over_represented(np.flatnonzero(assignment == k), everywhere) for k in range(concepts)]
        first = Counter(values[0] for values in ranked if values)
        labels = [
            f"Concept {k + 1}" if not values else values[0] if first[values[0]] == 1 else " · ".join(values[:2])
            for k, values in enumerate(ranked)
        ]
        return _told_apart(labels)

    def _over_represented(self, members: npt.NDArray[np.int64], everywhere: dict[str, float]) -> list[str]:
        if len(members) < MIN_ITEMS:
            return []
        here = _shares([self._values[i] for i in members])
        gain = {value: share * np.log(share / everywhere[value]) for value, share in here.items()}
        return [value for value in sorted(gain, key=lambda value: (-gain[value], value)) if gain[value] > 0.01][:2]

    def end_names(self, members: npt.NDArray[np.int64], coordinates: Float32Array) -> EndNames:
        """Name the two ends of one dimension among a concept's items.

        Args:
            members: (n,) rows of the concept's items.
            coordinates: (n,) their values on the dimension.
        """
        if len(members) < MIN_ITEMS:
            return EndNames(None, None, 0.0)
        numbers = self._by_number(members, coordinates)
        words = self._by_contrast(members, coordinates)
        if words.strength and (numbers.strength < MIN_RANK_CORRELATION or (words.low and words.high)):
            return EndNames(words.low, words.high, max(words.strength, numbers.strength))
        return numbers

    def _by_number(self, members: npt.NDArray[np.int64], coordinates: Float32Array) -> EndNames:
        best = EndNames(None, None, 0.0)
        for name, column in self._numbers.items():
            values = column[members]
            known = ~np.isnan(values)
            if known.sum() < MIN_ITEMS or np.ptp(values[known]) == 0 or np.ptp(coordinates[known]) == 0:
                continue
            rho = float(stats.spearmanr(coordinates[known], values[known]).statistic)
            if abs(rho) >= max(MIN_RANK_CORRELATION, best.strength):
                ends = (f"low {name}", f"high {name}") if rho > 0 else (f"high {name}", f"low {name}")
                best = EndNames(*ends, abs(rho))
        return best

    def _by_contrast(self, members: npt.NDArray[np.int64], coordinates: Float32Array) -> EndNames:
        order = members[np.argsort(coordinates, kind="stable")]
        size = max(1, int(END_SHARE * len(order)))
        ends = [_shares([self._values[i] | self._words[i] for i in end]) for end in (order[:size], order[-size:])]
        low, low_strength = _most_in_first(ends[0], ends[1], size)
        high, high_strength = _most_in_first(ends[1], ends[0], size)
        return EndNames(low, high, max(low_strength, high_strength))


def _most_in_first(first: dict[str, float], second: dict[str, float], size: int) -> tuple[str | None, float]:
    """The word by which the first end differs most from the second, and by how much; None if by too little for `size` items."""
    contrast = {word: share - second.get(word, 0.0) for word, share in first.items()}
    best = max(contrast, key=lambda word: (contrast[word], word), default=None)
    if best is None:
        return None, 0.0
    pooled = (first[best] + second.get(best, 0.0)) / 2
    standard_error = (2 * pooled * (1 - pooled) / size) ** 0.5
    if contrast[best] < max(MIN_CONTRAST, MIN_STANDARD_ERRORS * standard_error):
        return None, 0.0
    return best, contrast[best]


def _values(row: Iterable[Value]) -> Iterable[str]:
    for value in row:
        if value is not None:
            yield from (part.strip() for part in str(value).split("|") if part.strip())


def _shares(sets: list[frozenset[str]]) -> dict[str, float]:
    counts = Counter(value for values in sets for value in values)
    return {value: count / len(sets) for value, count in counts.items()}


def _told_apart(labels: list[str]) -> list[str]:
    """Number the labels that are still the same: 'Drama', 'Drama 2'."""
    seen: Counter[str] = Counter()
    result = []
    for label in labels:
        seen[label] += 1
        result.append(label if seen[label] == 1 else f"{label} {seen[label]}")
    return result
