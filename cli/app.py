"""The typer application that the commands join, its console, and how an error ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from macrid import __version__
from macrid.artifacts.errors import ArtifactError

app = typer.Typer(
    help="Recommendations that the person who receives them can see into and steer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(soft_wrap=True)


def main() -> None:
    """Run the command line; an error that a user can act on ends with one line and status 2, any other with its trace."""
    try:
        app()
    except ArtifactError as error:
        fail(error)
    except OSError as error:  # a folder that cannot be written, a full disk: the system's own words name it
        fail(error)
    except Exception as error:
        if type(error).__module__ not in ("macrid.model.errors", "macrid.service.errors"):
            raise
        fail(error)


def fail(error: Exception) -> None:
    """End the process with an error in one line and status 2."""
    Console(stderr=True, soft_wrap=True).print(f"[bold red]error:[/] {escape(str(error))}")
    sys.exit(2)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"macrid {__version__}")
        raise typer.Exit


@contextmanager
def with_the_trainers_libraries() -> Iterator[None]:
    """Import in here what only the extra `train` brings: what is missing is said in one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("macrid"):
            raise
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]error:[/] this command needs {error.name}, which is not installed; run: pip install 'macrid\\[train]'"
        )
        raise typer.Exit(2) from error


def trainer() -> Any:
    """Return the trainer's pipeline."""
    with with_the_trainers_libraries():
        from macrid.model import pipeline
    return pipeline


def known_data_sets() -> Any:
    """Return the data sets known by name, by their names; without torch, which takes seconds to import."""
    with with_the_trainers_libraries():
        from macrid.model import datasets
    return datasets.ALL
