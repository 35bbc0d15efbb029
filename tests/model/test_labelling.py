"""Names come from evidence: planted columns are found, noise stays without a name."""

import numpy as np
import pytest

from macrid.artifacts.catalogue import Column
from macrid.model.items import Items
from macrid.model.labelling import Vocabulary

N = 200


def items(titles=None, **columns):
    """N items with the given columns, each (kind, values)."""
    ids = tuple(f"i{at}" for at in range(N))
    described = tuple(Column(name, kind) for name, (kind, _) in columns.items())
    rows = tuple(zip(*(values for _, values in columns.values()), strict=True)) if columns else ((),) * N
    return Items(ids, tuple(titles or ids), (None,) * N, described, rows, {})


class TestConceptLabels:
    def test_a_concept_is_called_by_the_value_over_represented_in_it(self):
        assignment = np.arange(N) % 2
        vocabulary = Vocabulary(items(kind=("text", ["Bags|Sale" if a else "Lamps|Sale" for a in assignment])))
        assert vocabulary.concept_labels(assignment, 2) == ["Lamps", "Bags"]

    def test_two_concepts_of_one_kind_are_told_apart(self):
        assignment = np.arange(N) % 3
        kinds = [["Drama|Crime", "Drama|War", "Comedy"][a] for a in assignment]
        assert (
            vocabulary_labels(kinds, assignment, 3) == ["Crime", "War", "Comedy"]
            or len(set(vocabulary_labels(kinds, assignment, 3))) == 3
        )

    def test_without_columns_or_evidence_concepts_are_numbered(self):
        rng = np.random.default_rng(0)
        assignment = np.arange(N) % 2
        assert Vocabulary(items()).concept_labels(assignment, 2) == ["Concept 1", "Concept 2"]
        same = items(kind=("text", ["everything"] * N))
        assert Vocabulary(same).concept_labels(rng.permutation(assignment), 2) == ["Concept 1", "Concept 2"]


def vocabulary_labels(kinds, assignment, concepts):
    return Vocabulary(items(kind=("text", kinds))).concept_labels(assignment, concepts)


class TestEndNames:
    @pytest.fixture
    def coordinates(self):
        return np.random.default_rng(0).normal(size=N).astype(np.float32)

    @pytest.mark.parametrize("sign", [1, -1])
    def test_a_dimension_is_named_by_the_number_it_follows_with_the_right_ends(self, coordinates, sign):
        names = Vocabulary(items(year=("integer", (sign * 100 * coordinates).astype(int).tolist()))).end_names(
            np.arange(N), coordinates
        )
        assert (names.low, names.high) == (("low year", "high year") if sign > 0 else ("high year", "low year"))
        assert names.strength > 0.9

    def test_words_of_the_titles_name_both_ends(self, coordinates):
        titles = ["tiny cup" if value < 0 else "huge cup" for value in coordinates]
        names = Vocabulary(items(titles)).end_names(np.arange(N), coordinates)
        assert (names.low, names.high) == ("tiny", "huge")

    def test_noise_stays_without_a_name(self, coordinates):
        rng = np.random.default_rng(1)
        noise = items(
            year=("real", rng.normal(size=N).tolist()), kind=("text", rng.choice(["a1", "b2", "c3"], size=N).tolist())
        )
        names = Vocabulary(noise).end_names(np.arange(N), coordinates)
        assert (names.low, names.high, names.strength) == (None, None, 0.0)

    def test_few_items_are_no_evidence(self, coordinates):
        vocabulary = Vocabulary(items(year=("real", coordinates.tolist())))
        assert vocabulary.end_names(np.arange(10), coordinates[:10]).low is None
