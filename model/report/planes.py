"""Figure 2: items and users of one model on a plane, coloured by concept and by category, with cosine and with inner product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from macrid.artifacts.schema import Float32Array
from macrid.model.analysis.columns import UNKNOWN
from macrid.model.projection import principal_plane, scaled, tsne
from macrid.model.report.style import SOFT_INK, WIDTH, colour, drawing

IntArray = npt.NDArray[np.int64]

MOST_ITEMS = 4_000  # drawn; more are sampled
MOST_USERS = 1_000  # each of them two points
POINT = 3.0  # its area, in square points


@dataclass(frozen=True)
class Points:
    """Some rows on a plane, and the group that colours each; UNKNOWN has no colour."""

    places: Float32Array  # (n, 2)
    groups: IntArray  # (n,)


@dataclass(frozen=True)
class Planes:
    """What Figure 2 shows.

    Attributes:
        items: coloured by inferred concept.
        users: the two most confident components of each, coloured by their concept.
        categories: of the items, in the order of `items`, where a column of the catalogue tells; else None.
        inner_product: items of a model trained with the inner product for the cosine, coloured by inferred concept; or None.
    """

    items: Points
    users: Points
    categories: IntArray | None
    inner_product: Points | None


def project(rows: Float32Array, seed: int) -> Float32Array:
    """Places of (n, d) rows by t-SNE, begun from the principal plane, (n, 2)."""
    start = 1e-4 * scaled(principal_plane(rows)).astype(np.float64)
    return scaled(np.asarray(tsne(len(rows), seed).fit(rows, initialization=start)))


def sample(count: int, most: int, rng: np.random.Generator) -> IntArray:
    """At most so many of `count` rows, in order."""
    return np.sort(rng.permutation(count)[:most])


def place(
    items: Float32Array,
    assignment: IntArray,
    components: Float32Array,
    confidences: npt.NDArray[np.floating],
    categories: IntArray | None,
    inner_product: tuple[Float32Array, IntArray] | None,
    rng: np.random.Generator,
) -> Planes:
    """Put items and users on one plane together, and the ablation's items on one of their own.

    Args:
        items: (M, d) unit rows.
        assignment: (M,) concepts.
        components: (K, U, d) unit rows of training users.
        confidences: (U, K); of each user the two components with the largest are kept, as in the paper.
        categories: (M,) or None.
        inner_product: (M, d) embeddings and (M,) concepts of the ablation.
        rng: samples items and users, seeds the projections.
    """
    kept, users = sample(len(items), MOST_ITEMS, rng), sample(len(confidences), MOST_USERS, rng)
    two = np.argsort(-confidences[users], axis=1, kind="stable")[:, :2]  # (u, 2)
    of_users = components[two.ravel(), np.repeat(users, two.shape[1])]  # (2u, d)
    seed = int(rng.integers(2**31))
    together = project(np.concatenate([items[kept], of_users]), seed)
    other = None
    if inner_product is not None:
        embeddings, concepts = inner_product
        other = Points(project(embeddings[kept], seed), concepts[kept])
    return Planes(
        items=Points(together[: len(kept)], assignment[kept]),
        users=Points(together[len(kept) :], two.ravel().astype(np.int64)),
        categories=None if categories is None else categories[kept],
        inner_product=other,
    )


def draw(planes: Planes, concepts: Sequence[str], categories: Sequence[str], column: str) -> Figure:
    """Draw the panels a to e; those for which there is nothing are left out, and their letters with them."""
    both = Points(
        np.concatenate([planes.items.places, planes.users.places]),
        np.concatenate([planes.items.groups, planes.users.groups]),
    )
    panels = [("a  items and users", both), ("b  users", planes.users), ("c  items", planes.items)]
    if planes.categories is not None:
        panels.append((f"d  items by {column}", Points(planes.items.places, planes.categories)))
    if planes.inner_product is not None:
        panels.append(("e  items, inner product", planes.inner_product))
    columns = 3
    rows = -(-(len(panels) + 1) // columns)
    with drawing(height=rows * WIDTH / columns) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (title, points) in zip(axes, panels, strict=False):
            _scatter(ax, title, points)
        for ax in axes[len(panels) :]:
            ax.axis("off")
        _legend(axes[len(panels)], concepts, categories if planes.categories is not None else (), column)
    return figure


def _scatter(ax: Axes, title: str, points: Points) -> None:
    colours = np.array([colour(group) if group != UNKNOWN else SOFT_INK for group in points.groups])
    ax.scatter(points.places[:, 0], points.places[:, 1], c=colours, s=POINT, linewidths=0, alpha=0.75, rasterized=True)
    ax.set_title(title)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _legend(ax: Axes, concepts: Sequence[str], categories: Sequence[str], column: str) -> None:
    """Names of the colours: concepts, and the categories of panel d beside them."""
    for at, (title, names) in enumerate((("concepts", concepts), (column, categories))):
        if not names:
            continue
        dots = [ax.scatter([], [], color=colour(i), s=12, label=_short(name)) for i, name in enumerate(names) if name]
        legend = ax.legend(
            handles=dots, title=title, loc="upper left", bbox_to_anchor=(0.5 * at, 1.0), fontsize=6.5, alignment="left",
            handletextpad=0.1, borderpad=0,
        )  # fmt: skip
        legend.get_title().set_fontweight("bold")
        if at == 0 and categories:  # the axes keep one legend by themselves
            ax.add_artist(legend)


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
