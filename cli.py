"""The one command, `macrid`."""


def main() -> None:
    """Run."""
