"""Write docs/guide.md: walks and steering sessions on real data, chosen by a rule, asked of a running server through the client.

The rule, so that nothing is picked by hand. *Dimensions*: those named at both ends, by strength × importance: first the best
of every concept, then the second best, and so on. *Walks*: along the first six of these, each from its concept's best
exemplar. *Steering*: the first three of these; of the ten held-out test users with 10 to 40 clicks who have the largest share
of them in the concept, the one whom the turn takes farthest among its items, to the middle of the first or the last twentieth
(quantile .025 or .975).

    python -m benchmarks.guide --store STORE --title "MovieLens-1M" [--from FOLDER] [--walks 6] [--sessions 3] [--pictures PREFIX]

prints one section as Markdown. `--pictures docs/images/guide` writes the walks as strips of the shop's pictures.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.store import Store
from macrid.model.pipeline import split_of
from macrid.model.report.strips import svg_strip
from macrid.model.report.style import colour
from macrid.service.client import Client
from macrid.service.schemas import ConceptDetail, Recommendations, WalkAnswer
from macrid.service.schemas.concepts import ConceptDimension
from macrid.service.schemas.steering import AppliedEdit

CLICKS = (10, 40)
PEOPLE = 10  # with the largest share in a concept, of whom one is shown
LISTED = 8


@dataclass(frozen=True)
class Chosen:
    """A concept's best named dimension."""

    concept: ConceptDetail
    dimension: ConceptDimension

    @property
    def worth(self) -> float:
        """Strength × importance."""
        return self.dimension.strength * self.dimension.importance


@contextmanager
def serving(store: Path) -> Iterator[Client]:
    """Run a server of the store on a free port, until left."""
    command = [sys.executable, "-m", "macrid.cli", "serve", "--store", str(store), "--port", "0"]
    quiet = {**os.environ, "MACRID_LOG_REQUESTS": "false"}  # nobody reads on, once the address is known
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=quiet) as server:
        try:
            assert server.stdout is not None
            address = next(
                found for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line))
            )
            with Client(address.group()) as client:
                yield client
        finally:
            server.terminate()


def values_of(catalogue: Catalogue, items: int) -> list[set[str]]:
    """Return what the columns say of each item: genres, tags, departments."""
    return [
        {part.strip() for value in item.metadata.values() if isinstance(value, str) for part in value.split("|")}
        for item in catalogue.items(range(items))
    ]


def label_holds(label: str, values: set[str]) -> bool:
    """Say whether an item has all that a concept's label names; a number that only tells two labels apart is no part of it."""
    return {re.sub(r" \d+$", "", part) for part in label.split(" · ")} <= values


def choose(client: Client) -> list[Chosen]:
    """Return every concept's best named dimension, best first, then every concept's second best, and so on."""
    found = []
    for summary in client.concepts().concepts:
        concept = client.concept(summary.concept)
        named = [Chosen(concept, d) for d in concept.dimensions if d.low_label and d.high_label]
        found += list(enumerate(sorted(named, key=lambda each: -each.worth)))
    return [chosen for _, chosen in sorted(found, key=lambda each: (each[0], -each[1].worth))]


def print_walk(client: Client, catalogue: Catalogue, chosen: Chosen, pictures: Path | None) -> None:
    """Walk from the concept's best exemplar and print what is passed."""
    answer = client.walk(chosen.concept.exemplars[0].item_id, dim=chosen.dimension.dim)
    d = chosen.dimension
    print(
        f"**{_text(chosen.concept.label)}**: *{_text(d.low_label)} → {_text(d.high_label)}* "
        f"(dimension {d.dim}; strength {d.strength:.2f}, {d.importance:.0%} of what ranks this concept), "
        f"from {_text(answer.item.title)}\n"
    )
    if pictures is not None:
        path = _write_strip(catalogue, answer, pictures)
        print(f"![{_text(d.low_label)} to {_text(d.high_label)}](images/{path.name})\n")
    for step in answer.steps:
        here = "  ← as the start" if step.step == answer.start.step else ""
        print(f"{step.step + 1}. {_text(step.item.title)}{here}")
    print()


def print_session(client: Client, chosen: Chosen, histories: Sequence[list[str]]) -> None:
    """Turn the dimension for the person whom the rule chooses, and print the list before and after."""
    concept, dim = chosen.concept.concept, chosen.dimension.dim
    candidates = sorted(
        (history for history in histories if CLICKS[0] <= len(history) <= CLICKS[1]),
        key=lambda history: -client.encode(history=history).components[concept].share,
    )[:PEOPLE]
    tried = [(person, _turned(client, person, concept, dim, end)) for person in candidates for end in (0.025, 0.975)]
    person, after = max(tried, key=lambda each: abs(_edit(each[1]).quantile_applied - _edit(each[1]).quantile_before))
    edit = _edit(after)
    before = edit.quantile_before
    plain = client.recommend(history=person, n=LISTED)
    name = chosen.dimension.low_label if edit.quantile_applied < before else chosen.dimension.high_label
    titles = [client.item(item).title for item in person[:LISTED]]
    print(
        f"**{_text(chosen.concept.label)}, more {_text(name)}.** A person with {len(person)} clicks, among them "
        f"{'; '.join(_text(title) for title in titles)}. Dimension {dim} goes from quantile {edit.quantile_before:.2f} of the "
        f"concept's items to {edit.quantile_applied:.2f}.\n"
    )
    print("| | before | after | was |\n|---|---|---|---|")
    for rank, (old, new) in enumerate(zip(plain.items, after.items, strict=True), 1):
        was = "new" if new.rank_before is None or new.rank_before > LISTED else f"{new.rank_before}"
        print(f"| {rank} | {_text(old.title)} | {_text(new.title)} | {was} |")
    print()


def _turned(client: Client, person: list[str], concept: int, dim: int, quantile: float) -> Recommendations:
    return client.recommend(history=person, n=LISTED, adjust=[{"concept": concept, "dim": dim, "quantile": quantile}])


def _edit(answer: Recommendations) -> AppliedEdit:
    assert answer.steering is not None
    return answer.steering.components[0].edits[0]


def _text(value: str | None) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]|<>])", r"\\\1", value or "")


def _write_strip(catalogue: Catalogue, answer: WalkAnswer, prefix: Path) -> Path:
    """Put the pictures of a walk side by side into one SVG file."""
    ids = [step.item.item_id for step in answer.steps]
    known = catalogue.indices(ids)
    name = f"{answer.low_label} to {answer.high_label}"
    path = prefix.with_name(f"{prefix.name}-c{answer.concept}d{answer.dim}.svg")
    path.write_text(
        svg_strip(catalogue, [known[item] for item in ids], name, colour(answer.concept)) + "\n", encoding="utf-8"
    )
    return path


def main() -> None:
    """Print one section of the guide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--walks", type=int, default=6)
    parser.add_argument("--sessions", type=int, default=3)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    bundle = Store(arguments.store).open_current()
    split = split_of(bundle, arguments.folder)
    ids = np.array(split.item_ids, dtype=object)
    histories = [list(ids[row.indices]) for row in split.test.fold_in]
    metrics = bundle.manifest.metrics["test"]
    print(f"## {arguments.title}\n")
    print(
        f"`{bundle.manifest.model_version}`: {bundle.manifest.items:,} items, K = {bundle.manifest.concepts}, d = "
        f"{bundle.manifest.dimensions}; test NDCG@100 {metrics['MacridVAE']['ndcg@100']['mean']:.4f}"  # type: ignore[index]
        + (f", EASE {metrics['EASE']['ndcg@100']['mean']:.4f}" if "EASE" in metrics else "")  # type: ignore[index, operator]
        + f". {describe()}.\n"
    )
    with serving(arguments.store) as client:
        values = values_of(bundle.catalogue, bundle.manifest.items)
        homes = bundle.concept_weights.argmax(axis=1)
        print("| concept | items | of them named so | of all | its best exemplars |\n|---|---|---|---|---|")
        for concept in client.concepts().concepts:
            named = np.array([label_holds(concept.label, of_item) for of_item in values])
            shown = "; ".join(_text(item.title) for item in concept.exemplars[:4])
            print(
                f"| {_text(concept.label)} | {concept.size:,} | {named[homes == concept.concept].mean():.0%} | "
                f"{named.mean():.0%} | {shown} |"
            )
        chosen = choose(client)
        print("\n### Walks\n")
        for one in chosen[: arguments.walks]:
            print_walk(client, bundle.catalogue, one, arguments.pictures)
        print("### Turning\n")
        for one in chosen[: arguments.sessions]:
            print_session(client, one, histories)


if __name__ == "__main__":
    main()
