"""The one command, `macrid`: subcommands that parse and call. Heavy imports happen inside the subcommand that needs them."""

from macrid.cli import data, train, tune, evaluate, report, versions, remote, serve, doctor, recommend, keys  # noqa: F401, I001 - each adds its commands, in the order of the help
from macrid.cli.app import main as main
