"""MacridVAE beside the baselines on the same splits: fit each on every split, and put what it ranks into one table.

When a folder is given, each fit is kept there as a file, so that a comparison that was broken off goes on where it was, and a
further seed or method costs only what is new.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from macrid import __version__
from macrid.model.baselines import ease
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError
from macrid.model.evaluation import MEASURES, evaluate
from macrid.model.methods import method
from macrid.model.pipeline import split_source
from macrid.model.settings import Settings
from macrid.model.significance import Floats, Mean, PairedTest, holm, mean_over_users, paired_test
from macrid.model.splitting import Split

OURS = "macridvae"


@dataclass(frozen=True)
class Fit:
    """One method on one split: the test users (n,), their values (n,) of every measure, seconds to fit, and the settings."""

    method: str
    seed: int
    users: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    seconds: float
    settings: Settings


@dataclass(frozen=True)
class Row:
    """One method over all splits."""

    method: str
    means: Mapping[str, Mean]
    per_seed: Mapping[int, Mapping[str, float]]
    seconds: float
    settings: Settings


@dataclass(frozen=True)
class Test:
    """MacridVAE against one baseline in one measure; `p_holm` is `p_users` with all baselines of the measure in view."""

    baseline: str
    measure: str
    test: PairedTest
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """The table, the tests, and what they are of.

    Attributes:
        training_users, test_users: how many the split of each seed has; who has nothing to be asked for is not tested.
    """

    source: str
    fingerprint: str
    seeds: tuple[int, ...]
    training_users: tuple[int, ...]
    test_users: tuple[int, ...]
    note: str | None
    rows: tuple[Row, ...]
    tests: tuple[Test, ...]


def compare_methods(
    source: Source,
    methods: Mapping[str, Settings],
    seeds: Sequence[int],
    *,
    held_out_users: int | None = None,
    folder: Path | None = None,
    on_fit: Callable[[Fit], None] | None = None,
) -> Comparison:
    """Fit every method on the split of every seed, and compare on its test users.

    Args:
        source: of the clicks.
        methods: name -> all its settings (see `methods.resolve`), MacridVAE first where it takes part.
        seeds: of splits and of training.
        held_out_users: each of validation and test; None for the data's own number.
        folder: keeps fits; None for none.
        on_fit: called after each fit, for progress.

    Raises:
        DataError: there is no method or no seed, or one of them twice.
    """
    if not methods or not seeds or len(set(seeds)) != len(seeds):
        raise DataError(f"cannot compare {len(methods)} methods over the seeds {list(seeds)}; expected each seed once")
    fingerprint = source.interactions.fingerprint()
    fits: list[Fit] = []
    training_users, test_users = list[int](), list[int]()
    for seed in seeds:
        split = split_source(source, held_out_users, seed)
        if "ease" in methods and not ease.can_be_fitted(split.training):
            raise DataError(
                f"EASE cannot be fitted to {split.training.shape[0]:,} users and {split.training.shape[1]:,} items, expected at "
                f"most {ease.LARGEST:,} of either; name the other baselines with --baselines"
            )
        training_users.append(split.training.shape[0])
        test_users.append(len(split.test.user_ids))
        for name, settings in methods.items():
            fits.append(_kept_or_fitted(split, name, settings, fingerprint, folder))
            if on_fit is not None:
                on_fit(fits[-1])
    test_share = float(np.mean(np.divide(test_users, training_users)))
    return Comparison(
        source=source.name,
        fingerprint=fingerprint,
        seeds=tuple(seeds),
        training_users=tuple(training_users),
        test_users=tuple(test_users),
        note=source.note,
        rows=tuple(_row([fit for fit in fits if fit.method == name]) for name in methods),
        tests=_tests(fits, [name for name in methods if name != OURS], test_share) if OURS in methods else (),
    )


def _kept_or_fitted(split: Split, name: str, settings: Settings, fingerprint: str, folder: Path | None) -> Fit:
    if folder is None:
        return _fit(split, name, settings)
    said = [__version__, fingerprint, name, dict(settings), split.seed, len(split.training_user_ids)]
    key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]
    path = folder / f"{name}-{split.seed}-{key}.json"
    if path.is_file():
        return Fit(**json.loads(path.read_text(encoding="utf-8")))
    fitted = _fit(split, name, settings)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(json.dumps(asdict(fitted)), encoding="utf-8")
    beside.replace(path)
    return fitted


def _fit(split: Split, name: str, settings: Settings) -> Fit:
    start = time.perf_counter()
    scorer = method(name).fit(split, settings, split.seed, None)
    seconds = time.perf_counter() - start
    found = evaluate(scorer, split.test)
    values = {measure: tuple(found.values[measure].tolist()) for measure in MEASURES}
    return Fit(name, split.seed, split.test.user_ids, values, seconds, dict(settings))


def _row(fits: list[Fit]) -> Row:
    users = [user for fit in fits for user in fit.users]
    return Row(
        method=fits[0].method,
        means={measure: mean_over_users(_pooled(fits, measure), users) for measure in MEASURES},
        per_seed={fit.seed: {measure: float(np.mean(fit.values[measure])) for measure in MEASURES} for fit in fits},
        seconds=float(np.mean([fit.seconds for fit in fits])),
        settings=fits[0].settings,
    )


def _tests(fits: list[Fit], baselines: list[str], test_share: float) -> tuple[Test, ...]:
    by_method = {name: [fit for fit in fits if fit.method == name] for name in (OURS, *baselines)}
    users = [user for fit in by_method[OURS] for user in fit.users]
    splits = np.repeat([fit.seed for fit in by_method[OURS]], [len(fit.users) for fit in by_method[OURS]])
    tests: list[Test] = []
    for measure in MEASURES:
        ours = _pooled(by_method[OURS], measure)
        found = [paired_test(ours, _pooled(by_method[name], measure), users, splits, test_share) for name in baselines]
        adjusted = holm([each.p_users for each in found])
        tests += [Test(*each) for each in zip(baselines, [measure] * len(found), found, adjusted, strict=True)]
    return tuple(tests)


def _pooled(fits: list[Fit], measure: str) -> Floats:
    return np.concatenate([np.asarray(fit.values[measure], dtype=np.float64) for fit in fits])


def markdown(comparison: Comparison, where: str) -> str:
    """The table and the tests; `where` tells date and machine."""
    rows = [
        f"| {method(row.method).title} | "
        + " | ".join(f"{mean.mean:.4f} ± {mean.standard_error:.4f}" for mean in row.means.values())
        + f" | {row.seconds:.1f} |"
        for row in comparison.rows
    ]
    note = [] if comparison.note is None else [f"Note: {comparison.note}.", ""]
    lines = [
        f"{comparison.source}; {where}; split and training seeds {', '.join(map(str, comparison.seeds))}; "
        f"{_from_to(comparison.training_users)} training and {_from_to(comparison.test_users)} test users a split. "
        "Mean ± standard error, users being clusters.",
        "",
        *note,
        f"| method | {' | '.join(MEASURES)} | seconds to fit |",
        "|---" * (len(MEASURES) + 2) + "|",
        *rows,
    ]
    if comparison.tests:
        lines += [
            "",
            "| MacridVAE against | measure | difference | 95 % interval "
            "| p, users | p, users, Holm | p, splits | better / equal / worse |",
            "|---" * 8 + "|",
            *(_test_line(each) for each in comparison.tests),
        ]
    return "\n".join(lines) + "\n"


def _from_to(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _interval(test: PairedTest) -> str:
    return "–" if math.isnan(test.low) else f"{test.low:+.4f} to {test.high:+.4f}"


def _test_line(each: Test) -> str:
    test = each.test
    return (
        f"| {method(each.baseline).title} | {each.measure} | {test.difference:+.4f} ± {test.standard_error:.4f} "
        f"| {_interval(test)} | {_p(test.p_users)} | {_p(each.p_holm)} | {_p(test.p_splits)} "
        f"| {test.better} / {test.equal} / {test.worse} |"
    )


def _p(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def plain(comparison: Comparison, where: str) -> dict[str, object]:
    """Everything as JSON has it: no NaN."""

    def without_nan(value: object) -> object:
        if isinstance(value, dict):
            return {str(key): without_nan(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [without_nan(each) for each in value]
        return None if isinstance(value, float) and np.isnan(value) else value

    return {"measured": where, "macrid": __version__, **{k: without_nan(v) for k, v in asdict(comparison).items()}}
