"""Findings as tables for a terminal, and a choice of K as Markdown; the words are those of docs/analysis.md."""

import math
from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table

from macrid.model.analysis.analysis import Analysis, CategoryFindings, FactorFindings, WalkFindings
from macrid.model.analysis.choosing import Candidate, Choice
from macrid.model.analysis.factors import FactorMeasures

SIZES_SHOWN = 7


def tables(analysis: Analysis) -> Iterator[Table]:
    """One table after another, each with a title."""
    yield _concepts(analysis)
    yield _macro(analysis)
    yield _independence(analysis)
    if analysis.factors is not None:
        yield _factors(analysis.factors)
    if analysis.walks is not None:
        yield _walks(analysis.walks)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right", no_wrap=True)
    return table


def _number(value: float, signed: bool = False) -> str:
    return "–" if math.isnan(value) else f"{value:+.3f}" if signed else f"{value:.3f}"


def _concepts(analysis: Analysis) -> Table:
    column = "commonest value" if analysis.category is None else f"commonest {escape(analysis.category.column)}"
    table = _table("Concepts", "concept", "items", column, "its share")
    for row in analysis.concepts:
        name = f"{row.concept} {escape(row.label)}"
        table.add_row(
            name, f"{row.items:,}", escape(row.commonest or "–"), _number(row.share if row.commonest else math.nan)
        )
    return table


def _macro(analysis: Analysis) -> Table:
    use = analysis.use
    table = _table("Macro: concepts", "measure", "value", "shuffled")
    if analysis.category is not None:
        for name, value, shuffled in _agreement(analysis.category):
            table.add_row(name, _number(value), _number(shuffled))
    table.add_row(f"effective number of concepts, of {len(use.sizes)}", _number(use.effective_number))
    table.add_row("effective number by soft weights", _number(use.effective_number_soft))
    table.add_row("share of items in the largest concept", _number(use.largest_share))
    table.add_row("mean largest concept weight of an item", _number(use.mean_largest_weight))
    return table


def _agreement(found: CategoryFindings) -> Iterator[tuple[str, float, float]]:
    column, real, null = escape(found.column), found.concepts, found.shuffled
    yield f"NMI with {column} ({real.categories} values, {real.items:,} items)", real.nmi, null.nmi
    yield "adjusted Rand index", real.ari, null.ari
    yield "purity", real.purity, null.purity
    yield "one-to-one matching accuracy", real.matching_accuracy, null.matching_accuracy
    if found.any_value_purity is not None and found.any_value_purity_shuffled is not None:
        yield "purity, any of an item's values", found.any_value_purity, found.any_value_purity_shuffled


def _independence(analysis: Analysis) -> Table:
    table = _table("Micro: independence of dimensions", "of", "value", "random", "dimensions")
    rows = [
        (f"{analysis.items:,} items", analysis.items_independence),
        ("items within concepts", analysis.items_independence_within),
    ]
    if analysis.users is not None:
        rows += [
            (f"{analysis.users.users:,} users, all components", analysis.users.side_by_side),
            ("users, each component", analysis.users.single),
        ]
    for name, found in rows:
        table.add_row(name, _number(found.value), _number(found.random), str(found.dimensions))
    return table


def _factors(found: FactorFindings) -> Table:
    title = f"Micro: {escape(', '.join(found.factors))} within {escape(found.grouped_by)}"
    headings = ("items", "DCI D", "DCI C", "R²", "MIG", "best |ρ|", "others")
    table = _table(title, found.grouped_by, *headings)
    for name, measures in found.groups.items():
        table.add_row(escape(name), *_measures(measures))
    table.add_row("mean", *_measures(found.mean), style="bold")
    table.add_row("shuffled", *_measures(found.shuffled))
    return table


def _measures(found: FactorMeasures) -> list[str]:
    values = (
        found.dci.disentanglement, found.dci.completeness, found.dci.informativeness, found.mig,
        found.alignment.factor, found.alignment.others,
    )  # fmt: skip
    return [f"{found.items:,}", *(_number(value) for value in values)]


def _walks(found: WalkFindings) -> Table:
    headings = ("dim", "chosen", "moved", "others", "each", "change", "others", "shuffled")
    table = _table("Micro: walks", "along", *headings)
    for walk in found.walks:
        real = walk.real
        table.add_row(
            escape(f"{walk.group} {walk.factor}"), str(walk.dim), _number(walk.chosen_at), _number(real.factor, signed=True),
            _number(real.others), _number(real.others_each), _number(real.change, signed=True), _number(real.others_change),
            _number(walk.shuffled.factor, signed=True),
        )  # fmt: skip
    for name, moved in (("mean |·|", found.summary.real), ("shuffled", found.summary.shuffled)):
        table.add_row(
            name, "", "", _number(moved.factor), _number(moved.others), _number(moved.others_each), _number(moved.change),
            _number(moved.others_change), "", style="bold",
        )  # fmt: skip
    table.caption = (
        f"{found.summary.reached} of {found.summary.pairs} move their factor by .8 and keep the others still"
    )
    table.caption_justify = "left"
    return table


CHOICE = (
    "K", "NDCG@100", "stable over seeds", "over users", "in use", "eigengap", "serves", "real", "items per concept",
)  # fmt: skip


def choice_table(choice: Choice) -> Table:
    """Every candidate with its evidence; the recommended one in bold."""
    table = _table("Candidates, by validation users", *CHOICE)
    for candidate in choice.candidates:
        style = "bold" if candidate.concepts == choice.recommended else None
        table.add_row(*_evidence(candidate), style=style)
    return table


def choice_markdown(choice: Choice) -> str:
    """The same as a Markdown table, and the reason below."""
    lines = [f"| {' | '.join(CHOICE)} |", "|---" * len(CHOICE) + "|"]
    lines += [f"| {' | '.join(_evidence(candidate))} |" for candidate in choice.candidates]
    return "\n".join([*lines, "", f"{choice.reason}.", ""])


def _evidence(found: Candidate) -> list[str]:
    sizes = [str(size) for size in found.sizes[:SIZES_SHOWN]] + ["…"] * (len(found.sizes) > SIZES_SHOWN)
    return [
        str(found.concepts), f"{found.ndcg:.4f} ± {found.ndcg_standard_error:.4f}", _number(found.stability_seeds),
        _number(found.stability_users), f"{found.effective_number:.1f}", _number(found.eigengap),
        "yes" if found.serves else "no", "yes" if found.real else "no", " ".join(sizes),
    ]  # fmt: skip
