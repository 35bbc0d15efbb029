"""Errors of the contract.

ArtifactError            anything below
├── BundleError          a bundle cannot be written, or is refused: the message names the file and what was expected
├── CatalogueError       a catalogue cannot be written or asked: the message names the column or item
└── StoreError           a version cannot be published, found or rolled back to
"""


class ArtifactError(Exception):
    """Anything that goes wrong between trainer and server."""


class BundleError(ArtifactError):
    """A bundle cannot be written, or is refused on opening."""


class CatalogueError(ArtifactError):
    """A catalogue cannot be written, or was asked for something it does not hold."""


class StoreError(ArtifactError):
    """A version cannot be published, found or rolled back to."""
