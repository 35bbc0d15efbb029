"""The report: everything on it comes from the bundle, it needs nothing beside it, and what cannot be known is left out."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model.analysis.analysis import Options
from macrid.model.analysis.columns import UNKNOWN, Categories
from macrid.model.analysis.walks import walker_over
from macrid.model.errors import DataError, TrainingError
from macrid.model.export import export
from macrid.model.network import NetworkConfig
from macrid.model.report.report import coloured, train_with_inner_product, write_report
from macrid.model.report.strips import best_dimensions, svg_strip
from macrid.model.report.sweep import METHODS, Point
from macrid.model.training import TrainingConfig, train
from macrid.service.walk import walk

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Balanced(HTMLParser):
    """Holds a page to closing every tag that it opens."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.text).split())


def point(method, number, rng):
    return Point(method, number, {}, *rng.random(3).tolist(), 0.8, 0.98, 0.7, 0.99, 1.0)


@pytest.fixture(scope="module")
def bundle(small_run):
    """Of the small shop."""
    return Bundle.open(small_run[0].folder)


@pytest.fixture(scope="module")
def report(bundle, small_run, tmp_path_factory):
    """A full one, with the ablation and a sweep: (folder, page as text)."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("reports") / "report"
    path = write_report(
        bundle,
        folder,
        walker=walker_over(bundle, walk),
        options=Options(starts=2),
        split=small_run[1],
        inner_product=train_with_inner_product(bundle, small_run[1]),
        points=[point(method.name, number, rng) for method in METHODS for number in range(20)],
    )
    return folder, path.read_text(encoding="utf-8")


class TestPage:
    def test_says_what_the_bundle_says(self, bundle, report):
        text = read(report[1])
        assert bundle.manifest.model_version in text
        for concept in bundle.concepts:
            assert concept.label in text
        ndcg = bundle.manifest.metrics["test"]["MacridVAE"]["ndcg@100"]
        assert f"{ndcg['mean']:.4f} ± {ndcg['standard_error']:.4f}" in text
        for figure in ("Figure 2.", "Figure 3.", "Figure 4.", "inner product"):
            assert figure in text

    def test_needs_nothing_beside_it(self, report):
        page = report[1]
        assert "<script" not in page
        for address in re.findall(r'(?:href|src)="([^"]*)"', page):
            assert address.startswith(("#", "data:")), address
        assert "@import" not in page
        assert not re.search(r"url\((?!#)", page)

    def test_every_id_is_there_once(self, report):
        ids = re.findall(r'\bid="([^"]*)"', report[1])
        assert len(ids) == len(set(ids))

    def test_figures_lie_beside_it_as_files(self, report):
        names = {path.name for path in report[0].iterdir()}
        assert {
            "figure-2.png",
            "figure-2.svg",
            "figure-4.png",
            "figure-4.svg",
            "training.png",
            "figure-3-1.svg",
        } <= names

    def test_what_cannot_be_known_is_left_out_with_a_word(self, bundle, tmp_path):
        path = write_report(
            bundle, tmp_path / "report", walker=walker_over(bundle, walk), options=Options(starts=0), split=None,
            no_split="clicks.csv is <gone>",
        )  # fmt: skip
        text = read(path.read_text(encoding="utf-8"))
        assert "clicks.csv is <gone>" in text
        assert "Figure 2." not in text
        assert "Figure 4." not in text

    def test_a_folder_that_holds_something_is_refused(self, bundle, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(DataError, match="is not empty; name another folder"):
            write_report(bundle, tmp_path, walker=walker_over(bundle, walk), options=Options(), split=None)


def test_categories_take_the_colours_of_the_concepts_that_hold_them():
    first = np.array([0, 0, 0, 1, 1, 1, 2, 2, UNKNOWN])
    categories = Categories("kind", ("apples", "pears", "plums"), first, (frozenset(),) * 9)
    assignment = np.array([1, 1, 1, 0, 0, 2, 2, 2, 0])
    numbers, names = coloured(categories, assignment, concepts=3)
    assert numbers.tolist() == [1, 1, 1, 0, 0, 0, 2, 2, UNKNOWN]
    assert names == ("pears", "apples", "plums")


def test_a_strip_shows_titles_where_there_are_no_pictures_and_keeps_ids_apart(bundle):
    strip = svg_strip(bundle.catalogue, [0, 0, 1], "a & b", "#000")
    ids = re.findall(r'\bid="([^"]*)"', strip)
    assert len(ids) == len(set(ids))
    assert 'aria-label="a &amp; b"' in strip
    assert strip.count("<svg") == 4


def test_the_best_dimension_of_each_concept_is_named_and_best_first(bundle):
    found = best_dimensions(bundle.concepts)
    worth = [dimension.strength * dimension.importance for _, dimension in found]
    assert worth == sorted(worth, reverse=True)
    assert len({concept.id for concept, _ in found}) == len(found)
    for concept, dimension in found:
        named = [d for d in concept.dimensions if d.low.label and d.high.label]
        assert dimension.strength * dimension.importance == max(d.strength * d.importance for d in named)


def test_a_model_of_inner_products_is_not_served(small_run, tmp_path):
    _, split = small_run
    config = TrainingConfig(network=NetworkConfig(concepts=3, dimensions=8, similarity="inner_product"), epochs=1)
    config = dataclasses.replace(config, initialisation="random")
    network = train(split, config).network
    assert np.ptp(network.unit_items().detach().norm(dim=1).numpy()) > 0
    with pytest.raises(TrainingError, match="similarity is 'inner_product'"):
        export(network, split.training, None, None, tmp_path / "bundle")
