"""One bundle -> a folder with the report page and its figures: what is gathered, drawn and written, in this order."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import Concept, Float32Array, Manifest
from macrid.model.analysis.analysis import Analysis, Options, analyse
from macrid.model.analysis.columns import UNKNOWN, Categories, ItemColumns, find_categories
from macrid.model.analysis.walks import Walker
from macrid.model.errors import DataError
from macrid.model.export import restore
from macrid.model.network import Histories, NetworkConfig
from macrid.model.report import planes, strips, sweep
from macrid.model.report.style import SOFT_INK, WIDTH, colour, drawing, save, with_ids_of_its_own
from macrid.model.splitting import Split
from macrid.model.training import TrainingConfig, train

IntArray = npt.NDArray[np.int64]

CATEGORIES_COLOURED = 20
EXEMPLARS = 6
DIMENSIONS_SHOWN = 4
STRIPS = 6


@dataclass(frozen=True)
class InnerProduct:
    """The ablation of Figure 2e: a model trained as the bundle's was, but with the inner product, and its concepts."""

    items: Float32Array  # (M, d)
    assignment: IntArray  # (M,)
    largest_share: float


@dataclass(frozen=True)
class Card:
    """What the page says of one concept."""

    concept: Concept
    colour: str
    share: float  # of the items
    strip: str  # its exemplars, as an SVG element
    exemplars: tuple[str, ...]  # their titles


def train_with_inner_product(bundle: Bundle, split: Split) -> InnerProduct:
    """Train once more on the bundle's own split and settings, with the inner product for the cosine.

    Both tables start at random, as the authors': a start from co-clicks would be a cosine's.
    """
    known = {field.name for field in dataclasses.fields(TrainingConfig)} - {"network"}
    said = {name: value for name, value in bundle.manifest.training.items() if name in known}
    network = NetworkConfig(
        concepts=bundle.manifest.concepts,
        dimensions=bundle.manifest.dimensions,
        temperature=bundle.manifest.temperature,
        similarity="inner_product",
    )
    config = dataclasses.replace(TrainingConfig(network=network, **said), initialisation="random")  # type: ignore[arg-type]
    trained = train(split, config).network
    items = trained.unit_items()
    assignment = trained.concept_logits(items).argmax(dim=1).numpy()
    largest = float(np.bincount(assignment).max() / len(assignment))
    return InnerProduct(items.detach().numpy(), assignment, largest)


def write_report(
    bundle: Bundle,
    folder: Path,
    *,
    walker: Walker,
    options: Options,
    split: Split | None,
    no_split: str = "",
    inner_product: InnerProduct | None = None,
    points: Sequence[sweep.Point] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> Path:
    """Write index.html, which needs nothing beside it, and every figure as PNG and SVG.

    Args:
        bundle: an opened one.
        folder: must not exist, or be empty.
        walker: walks as the server does, see `analysis.walks.walker_over`.
        options: of the measures.
        split: of the data it was trained on; None leaves out what is of users.
        no_split: why there is none.
        inner_product: of `train_with_inner_product`; None leaves out Figure 2e.
        points: of a sweep; none leaves out Figure 4.
        on_step: told what is done next.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder holds something, or a column asked for does not exist.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty; name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    on_step("measuring")
    found = analyse(bundle, options, split=split, no_split=no_split, walker=walker if options.starts else None)
    figures = {}
    if split is not None:
        on_step("placing items and users")
        figures["plane"] = save(_plane(bundle, split, options, inner_product), folder / "figure-2")
    on_step("walking")
    walks = strips.walk_strips(bundle, walker, STRIPS)
    for at, strip in enumerate(walks, 1):
        (folder / f"figure-3-{at}.svg").write_text(strip.svg + "\n", encoding="utf-8")
    if points:
        figures["sweep"] = save(sweep.draw(points), folder / "figure-4")
    if "curve" in bundle.manifest.training:
        figures["curve"] = save(_curve(bundle.manifest), folder / "training")
    page = _template().render(
        manifest=bundle.manifest,
        found=found,
        figures=figures,
        walks=walks,
        cards=_cards(bundle, found),
        table=_table(bundle.manifest),
        inner_product=inner_product,
        sweep=sweep.summarise(points),
        random=_random_of(points),
        today=datetime.now(UTC).date().isoformat(),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _plane(bundle: Bundle, split: Split, options: Options, inner_product: InnerProduct | None) -> Figure:
    rng = np.random.default_rng(options.seed)
    users = planes.sample(split.training.shape[0], planes.MOST_USERS, rng)
    histories = split.training[users]
    components = restore(bundle).components(Histories.from_matrix(histories)).numpy()  # (K, u, d)
    assignment = bundle.concept_weights.argmax(axis=1).astype(np.int64)
    categories = find_categories(ItemColumns.read(bundle.catalogue), options.category)
    groups, names = (None, ()) if categories is None else coloured(categories, assignment, bundle.manifest.concepts)
    placed = planes.place(
        bundle.item_embeddings,
        assignment,
        components,
        histories @ bundle.concept_weights,
        groups,
        None if inner_product is None else (inner_product.items, inner_product.assignment),
        rng,
    )
    labels = [concept.label for concept in bundle.concepts]
    return planes.draw(placed, labels, names, "" if categories is None else categories.name)


def coloured(categories: Categories, assignment: IntArray, concepts: int) -> tuple[IntArray, tuple[str, ...]]:
    """Number categories so that as many items as possible have their category's colour in their concept's panel too.

    Args:
        categories: of M items.
        assignment: (M,) concepts.
        concepts: K.

    Returns:
        (M,) numbers, `UNKNOWN` for an item without a category or with one beyond the twenty largest; and the names by number.
    """
    counts = Counter(categories.first[categories.first != UNKNOWN].tolist())
    largest = [label for label, _ in counts.most_common(CATEGORIES_COLOURED)]
    common = np.zeros((len(largest), max(concepts, len(largest))))
    for row, label in enumerate(largest):
        np.add.at(common[row], assignment[categories.first == label], 1)
    rows, columns = linear_sum_assignment(common, maximize=True)
    order = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
    # numbers stay those of the concepts where they match; what is left over fills up behind
    number = {largest[row]: column for column, row in order}
    numbers = np.array([number.get(int(first), UNKNOWN) for first in categories.first], dtype=np.int64)
    names = [""] * (max(number.values()) + 1)
    for label, at in number.items():
        names[at] = categories.labels[label]
    return numbers, tuple(names)


def _cards(bundle: Bundle, found: Analysis) -> list[Card]:
    cards = []
    for concept in bundle.concepts:
        exemplars = concept.exemplars[:EXEMPLARS]
        rows = [bundle.catalogue.indices([item])[item] for item in exemplars]
        titles = tuple(item.title for item in bundle.catalogue.items(rows))
        tint = colour(concept.index)
        name = f"{concept.label}: {'; '.join(titles)}"
        picture = strips.svg_strip(bundle.catalogue, rows, name, tint) if rows else ""
        picture = with_ids_of_its_own(picture, concept.id)
        cards.append(Card(concept, tint, concept.size / found.items, picture, titles))
    return cards


def _table(manifest: Manifest) -> dict[str, Any]:
    test = manifest.metrics.get("test")
    if not isinstance(test, dict):
        return {}
    return dict(sorted(test.items(), key=lambda row: -row[1]["ndcg@100"]["mean"]))


def _random_of(points: Sequence[sweep.Point]) -> dict[str, float]:
    if not points:
        return {}
    return {side: float(np.mean([getattr(p, f"{side}_random") for p in points])) for side in ("items", "users")}


def _curve(manifest: Manifest) -> Figure:
    curve = manifest.training["curve"]
    assert isinstance(curve, dict)
    loss, ndcg = (np.array(curve[name]) for name in ("loss", "ndcg@100"))
    epochs = np.arange(1, len(loss) + 1)
    with drawing(height=WIDTH * 0.3) as figure:
        left, right = figure.subplots(1, 2)
        for ax, values, title, tint in ((left, loss, "training loss", 0), (right, ndcg, "validation NDCG@100", 2)):
            ax.plot(epochs, values, color=colour(tint), lw=1.4)
            ax.axvline(float(str(manifest.training["best_epoch"])), color=SOFT_INK, lw=0.8, ls=":")
            ax.set_title(title)
            ax.set_xlabel("epoch")
            ax.grid(alpha=0.6)
        right.annotate(
            "kept", (float(str(manifest.training["best_epoch"])), 0.04), xycoords=("data", "axes fraction"), fontsize=6.5,
            color=SOFT_INK, ha="right", rotation=90,
        )  # fmt: skip
    return figure


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: (
        "–" if value is None or value != value else f"{round(value, 3) + 0.0:.3f}"
    )
    environment.globals["dimensions_shown"] = DIMENSIONS_SHOWN
    return environment.get_template("page.html")
