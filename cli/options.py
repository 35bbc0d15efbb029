"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="MACRID_STORE", help="Folder of published versions.", show_default=True)
]
Initialisation = Literal["co_clicks", "random"]
Basis = Literal["independent", "trained"]
Recipe = Literal["ours", "paper"]
DEFAULT_STORE = Path("artifacts/store")
Given = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A data set by name (`macrid data list`), a .csv, .tsv or .parquet file of clicks, or a folder of Parquet parts.",
    ),
]

UserColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of user ids; default: user, user_id or userId.")
]
ItemColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of item ids; default: item, item_id or itemId.")
]
RatingColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Column of ratings, with --min-rating; default: rating.")
]
TimestampColumn = Annotated[
    str | None, typer.Option(rich_help_panel="Data", help="Put the clicks in this column's order first.")
]
MinRating = Annotated[float | None, typer.Option(rich_help_panel="Data", help="Keep only ratings of at least this.")]
MinUserItems = Annotated[
    int, typer.Option(rich_help_panel="Data", min=1, help="Keep users with at least so many items.")
]
SourceFolder = Annotated[
    Path | None,
    typer.Option("--from", rich_help_panel="Data", help="Folder of a data set's files, if not in the usual places."),
]
HeldOutUsers = Annotated[
    int | None,
    typer.Option(rich_help_panel="Data", min=1, help="Users held out, each for validation and test; default: a tenth."),
]

Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel="Long work",
        help="Keep the state of training there; removed when the bundle is written.",
    ),
]
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
