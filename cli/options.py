"""Arguments and options that several commands share."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from macrid.cli.app import trainer

if TYPE_CHECKING:
    from macrid.model.pipeline import SourceOptions

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="MACRID_STORE", help="Folder of published versions.", show_default=True)
]
Initialisation = Literal["co_clicks", "random"]
Basis = Literal["independent", "trained"]
Opinion = Literal["softmax", "square"]
Refined = Literal["afterwards", "throughout"]
Sampling = Literal["log_uniform", "uniform"]
Precision = Literal["float32", "bf16", "auto"]
Recipe = Literal["ours", "paper"]
DEFAULT_STORE = Path("artifacts/store")
Given = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A data set by name (`macrid data list`), a .csv, .tsv or .parquet file of clicks, or a folder of Parquet parts.",
    ),
]

BundleArgument = Annotated[Path | None, typer.Argument(help="A bundle's folder; default: the store's current version.")]
ClicksOption = Annotated[
    Path | None, typer.Option("--from", help="Where the clicks are now: a folder of a data set, or a file.")
]
CategoryOption = Annotated[
    str | None,
    typer.Option(
        "--category",
        help="Item column to compare the concepts with; default: the one that groups items into the fewest.",
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there.")]

Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel="Long work",
        help="Keep the state of training there; removed when the bundle is written.",
    ),
]
CHECKPOINT_SECONDS = 60.0
CheckpointSeconds = Annotated[
    float, typer.Option(rich_help_panel="Long work", min=0.0, help="Keep it at most so often; 0 after every update.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel="Long work",
        help="Go on from --checkpoint when that file is there: the result is that of a run never interrupted, to the bit.",
    ),
]
LogJson = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel="Long work",
        help="Write every epoch's figures there, one JSON object a line.",
    ),
]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", rich_help_panel="Long work", help="Write them for TensorBoard; needs macrid\\[tensorboard]."
    ),
]
Refit = Annotated[
    bool,
    typer.Option(
        "--refit",
        rich_help_panel="Training",
        help="After the evaluation train on all users; the bundle is of that network.",
    ),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; default MACRID_CONFIG.", dir_okay=False)
]
SettingOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; may stand several times.")
]
ContinueFrom = Annotated[
    Path | None,
    typer.Option(
        "--continue-from",
        metavar="BUNDLE",
        rich_help_panel="Training",
        help="Start from a bundle's tables; concepts and dimensions that agree with it keep their ids.",
    ),
]

# Settings of the server that have a flag of their own; None for one that was not given.
StoreSetting = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of published versions; default MACRID_STORE or artifacts/store."),
]
HostSetting = Annotated[
    str | None, typer.Option("--host", help="Address to listen on; default MACRID_HOST or 127.0.0.1.")
]
PortSetting = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="Port to listen on, 0 for any free one; default MACRID_PORT or 8000."
    ),
]
WorkersSetting = Annotated[
    int | None, typer.Option("--workers", help="Processes that serve; default MACRID_WORKERS or 1.")
]
KeysSetting = Annotated[
    Path | None, typer.Option("--keys", help="File of API keys, see `macrid key`; default MACRID_KEYS_FILE.")
]


def data_option(*names: str, help: str, **more: Any) -> Any:
    """An option of the panel "Data"."""
    return typer.Option(*names, rich_help_panel="Data", help=help, **more)


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """How to read and split a source; every field is an option of the commands that `with_data_options` wraps."""

    user_column: Annotated[str | None, data_option(help="Column of user ids; default: user, user_id or userId.")] = None
    item_column: Annotated[str | None, data_option(help="Column of item ids; default: item, item_id or itemId.")] = None
    rating_column: Annotated[str | None, data_option(help="Column of ratings, with --min-rating; default: rating.")] = (
        None
    )
    timestamp_column: Annotated[str | None, data_option(help="Put the clicks in this column's order first.")] = None
    min_rating: Annotated[float | None, data_option(help="Keep only ratings of at least this.")] = None
    min_user_items: Annotated[int, data_option(min=1, help="Keep users with at least so many items.")] = 5
    folder: Annotated[
        Path | None,
        data_option(
            "--from", help="Where a data set's files, or the clicks of a bundle, are if not in the usual places."
        ),
    ] = None
    held_out_users: Annotated[
        int | None,
        data_option(min=1, help="Users held out, each for validation and test; default: a tenth."),
    ] = None

    def changed(self, *, but: str) -> dict[str, bool]:
        """Field -> whether it is another than by default, all but one of them."""
        names = [field.name for field in dataclasses.fields(self) if field.name != but]
        return {name: getattr(self, name) != getattr(DEFAULT_DATA, name) for name in names}

    def source_options(self, items: Path | None = None, name: str | None = None) -> "SourceOptions":
        """For the trainer."""
        pipeline = trainer()
        columns = pipeline.ColumnNames(self.user_column, self.item_column, self.rating_column, self.timestamp_column)
        options: SourceOptions = pipeline.SourceOptions(
            items, name, self.folder, columns, self.min_rating, self.min_user_items
        )
        return options


DEFAULT_DATA = DataOptions()


def with_data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have the fields of `DataOptions` as options; it receives them as its one parameter `data`."""
    hints = get_type_hints(DataOptions, include_extras=True)
    declared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(DataOptions)
    ]
    names = [parameter.name for parameter in declared]
    own = inspect.signature(command, eval_str=True).parameters.values()

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(data=DataOptions(**{name: given.pop(name) for name in names}), **given)

    parameters = [
        each
        for parameter in own
        for each in (declared if parameter.name == "data" else [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
