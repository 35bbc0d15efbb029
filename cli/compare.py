"""What `macrid evaluate --compare` and `macrid tune` share, and the comparison itself."""

from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from macrid.cli.app import console
from macrid.cli.output import counting, print_source, write_json


def whole_numbers(text: str, option: str) -> list[int]:
    """Numbers with commas between."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}; expected whole numbers with commas between", param_hint=option) from error


def seeds_in(text: str) -> list[int]:
    """Seeds of splits with commas between."""
    seeds = whole_numbers(text, "--seeds")
    wrong = next((seed for seed in seeds if not 0 <= seed < 2**32), None)
    if wrong is not None or not seeds:
        raise typer.BadParameter(f"{text!r}; expected whole numbers from 0 to {2**32 - 1}", param_hint="--seeds")
    if len(set(seeds)) < len(seeds):
        raise typer.BadParameter(f"{text!r} names a split twice; expected each once", param_hint="--seeds")
    return seeds


def compare_source(
    source: Any, seeds: list[int], baselines: str | None, configs: Path | None, held_out_users: int | None, out: Path
) -> None:
    """Fit MacridVAE and the baselines on every split; print the tables, and write them as Markdown and JSON."""
    from macrid.model import methods
    from macrid.model.comparison import Fit, compare_methods, markdown, plain
    from macrid.model.machine import describe

    if configs is not None and not any((configs / f"{name}.toml").is_file() for name in methods.ALL):
        raise typer.BadParameter(
            f"{configs} has no file METHOD.toml; expected one or more of {', '.join(f'{name}.toml' for name in methods.ALL)}",
            param_hint="--configs",
        )
    print_source(source)
    named = methods.BASELINES if baselines is None else [name.strip() for name in baselines.split(",") if name.strip()]
    settings = {
        name: _settings_of(source, methods.method(name), configs) for name in dict.fromkeys(("macridvae", *named))
    }
    with counting("fitted") as bar:
        task = bar.add_task("", total=len(settings) * len(seeds))

        def on_fit(fit: Fit) -> None:
            ndcg = sum(fit.values["ndcg@100"]) / len(fit.users)
            bar.update(task, advance=1, description=f"{fit.method}, seed {fit.seed}: NDCG@100 {ndcg:.4f}")

        found = compare_methods(
            source, settings, seeds, held_out_users=held_out_users, folder=out / "fits", on_fit=on_fit
        )
    where = describe()
    text = markdown(found, where)
    console.print(text, markup=False, highlight=False)
    (out / "comparison.md").write_text(text, encoding="utf-8")
    write_json(out / "comparison.json", plain(found, where))


def _settings_of(source: Any, method: Any, configs: Path | None) -> Any:
    """All settings of a method: those of its file in the folder, if it has one there, and defaults."""
    from macrid.model.methods import resolve
    from macrid.model.settings import read_settings

    path = None if configs is None else configs / f"{method.name}.toml"
    if path is None or not path.is_file():
        return resolve(method, source, {}, method.name)
    console.print(f"{method.title}: settings of {escape(str(path))}")
    return resolve(method, source, read_settings(path, method.name), str(path))
