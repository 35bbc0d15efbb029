"""Errors a caller can meet, each with its HTTP status; `problems.py` turns them into RFC 9457 documents.

    ServiceError
    ├── NotFoundError         404   what the path names does not exist in the loaded model
    │   ├── UnknownItemError
    │   ├── UnknownConceptError
    │   ├── UnknownDimensionError
    │   ├── NoPictureError
    │   └── NoMapError
    ├── OtherModelError       409   the request was made for a model version that is not served
    ├── TooLargeError         413   the request is larger than the settings allow
    ├── MediaTypeError        415   the body is not declared as JSON
    ├── InvalidError          422   the request is malformed; names the field
    ├── UnauthorizedError     401   no key was sent, or one that is not known
    ├── ForbiddenError        403   the key is known, and not for this
    ├── SlowBodyError         408   the body did not arrive in time
    ├── BusyError             503   more is asked than this server can answer now
    └── NotReadyError         503   no model is loaded
    SettingError                    the server cannot start like this; for whoever starts it

Messages name the thing, the value and what was expected. They never repeat a history.
"""

from typing import ClassVar, Literal

Place = Literal["body", "query", "path"]


class ServiceError(Exception):
    """Anything the server refuses to do. The message is shown to the caller."""

    status: ClassVar[int]
    kind: ClassVar[str]  # last part of the problem's type, for programs
    title: ClassVar[str]  # for people; the same for every occurrence


class NotFoundError(ServiceError):
    """What the path names does not exist."""

    status = 404
    kind = "not-found"
    title = "Not found"


class UnknownItemError(NotFoundError):
    """No item has this id."""

    kind = "unknown-item"
    title = "Unknown item"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"no item has the id {shortened(item_id)!r}")


class UnknownConceptError(NotFoundError):
    """No concept has this number."""

    kind = "unknown-concept"
    title = "Unknown concept"

    def __init__(self, concept: int, concepts: int) -> None:
        super().__init__(f"there is no concept {shortened(str(concept))}; concepts are numbered 0 to {concepts - 1}")


class UnknownDimensionError(NotFoundError):
    """No dimension has this number."""

    kind = "unknown-dimension"
    title = "Unknown dimension"

    def __init__(self, dim: int, dimensions: int) -> None:
        super().__init__(
            f"there is no dimension {shortened(str(dim))}; dim is the number of a dimension, 0 to {dimensions - 1}"
        )


class NoPictureError(NotFoundError):
    """The catalogue holds no picture of this item."""

    kind = "no-picture"
    title = "No picture"

    def __init__(self, item_id: str) -> None:
        super().__init__(f"the catalogue holds no picture of the item {shortened(item_id)!r}")


class NoMapError(NotFoundError):
    """The bundle holds no places of its items."""

    kind = "no-map"
    title = "No map"

    def __init__(self, model_version: str) -> None:
        super().__init__(
            f"the model {model_version} was written without places of its items; train it again to get a map"
        )


class OtherModelError(ServiceError):
    """The request was made for a model version that is not served: its numbers would silently mean something else."""

    status = 409
    kind = "other-model"
    title = "Another model is served"

    def __init__(self, asked: str, serving: str) -> None:
        super().__init__(
            f"the request was made for model_version {shortened(asked)!r}, but {serving!r} is served; "
            "look up concepts and dimensions again, or send no model_version"
        )


class TooLargeError(ServiceError):
    """The request is larger than the settings allow."""

    status = 413
    kind = "too-large"
    title = "Too large"


class MediaTypeError(ServiceError):
    """The body is not declared as JSON."""

    status = 415
    kind = "not-json"
    title = "Unsupported media type"

    def __init__(self, content_type: str | None) -> None:
        said = f"its Content-Type is {shortened(content_type)!r}" if content_type else "it has no Content-Type"
        super().__init__(f"the body must be JSON, but {said}; send it with Content-Type: application/json")


class InvalidError(ServiceError):
    """A value is malformed or out of its range."""

    status = 422
    kind = "invalid"
    title = "Invalid request"

    def __init__(self, place: Place, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.place = place
        self.field = field
        self.message = message


class UnauthorizedError(ServiceError):
    """No key was sent, or one that is not known."""

    status = 401
    kind = "unauthorized"
    title = "A key is needed"

    def __init__(self, sent: bool) -> None:
        problem = "the key that was sent is not known here" if sent else "this server asks for a key, and none was sent"
        super().__init__(f"{problem}; send one as `Authorization: Bearer …` or as `X-API-Key: …`")


class ForbiddenError(ServiceError):
    """The key is known, and not for this; or it is for nobody."""

    status = 403
    kind = "forbidden"
    title = "Not with this key"


class SlowBodyError(ServiceError):
    """The body did not arrive in time."""

    status = 408
    kind = "slow-body"
    title = "Request timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within the {seconds:g} s that this server waits for it")


class BusyError(ServiceError):
    """More is asked than this server can answer now; asking again in a moment may help."""

    status = 503
    kind = "busy"
    title = "Busy"


class NotReadyError(ServiceError):
    """No model is loaded."""

    status = 503
    kind = "not-ready"
    title = "Not ready"


class SettingError(Exception):
    """The server cannot start with these settings; names the setting, the value and what was expected."""


def shortened(text: str, length: int = 80) -> str:
    """Cut what a caller sent to a length that fits a message."""
    return text if len(text) <= length else text[:length] + "…"
