"""What the OpenAPI document says beyond the signatures of the handlers: errors, 304, and the words around it all."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from macrid.service.problems import MEDIA_TYPE
from macrid.service.schemas import Problem

TITLE = "Macrid"
DESCRIPTION = """\
Recommendations that the person who receives them can see into and steer.

A history of clicks is encoded into one *component* per *concept*; items are ranked against all components at once, and
each names the concept that put it there. A *walk* goes along one *dimension* of a concept and shows what it means.

- Item ids are opaque strings. In a path they are one percent-encoded segment: `a/b` is written `a%2Fb`.
- Concepts, dimensions and steps are numbered from 0, ranks from 1.
- Every answer carries the `model_version` that gave it.
- Answers that depend only on the model carry an `ETag`; answers about a user are `no-store`.
- Errors are `application/problem+json` (RFC 9457): `type` is for programs, `detail` for people.
"""
TAGS = [
    {"name": "Users", "description": "What to recommend to a user, and why: from a history of clicks."},
    {"name": "Items", "description": "The catalogue, and what the model knows of each item."},
    {"name": "Concepts", "description": "The groups of items that the model found, and their dimensions."},
    {"name": "Map", "description": "Where items lie, and where a user stands among them."},
    {"name": "Operations", "description": "Health, readiness and versions."},
]

# A server without keys asks for neither.
SECURITY_SCHEMES = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "A key made with `macrid key create`."},
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another place."},
}
FOR_EVERYBODY = frozenset({"/", "/healthz", "/readyz"})  # no key is asked for there

Responses = dict[int | str, dict[str, Any]]

# Errors that operations share: status, name in the document, meaning.
SHARED = {
    401: ("Unauthorized", "This server asks for a key, and none that it knows was sent."),
    403: ("Forbidden", "The key is not for this."),
    404: ("NotFound", "There is no such item, concept, dimension, picture or map."),
    408: ("SlowBody", "The body did not arrive in time."),
    409: ("OtherModel", "The request was made for a `model_version` that is not served."),
    413: ("TooLarge", "The body, the history or the list of excluded items is larger than this server accepts."),
    415: ("NotJson", "The body is not declared as JSON."),
    422: ("Invalid", "The request is malformed; `errors` names the fields."),
    503: (
        "Unavailable",
        "No model is loaded, or more is asked than can be answered now; `Retry-After` says when to ask again.",
    ),
}


def problems(*statuses: int) -> Responses:
    """Document which errors an operation answers."""
    return {status: {"model": Problem} for status in statuses}


def not_modified() -> Responses:
    """Document the answer to a client that holds the current one already."""
    return {304: {"description": "The copy whose ETag was sent in `If-None-Match` is still right."}}


def metrics_content() -> Responses:
    """Document an answer in the text format of Prometheus."""
    return {200: {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}}


def picture_content() -> Responses:
    """Document an answer that is a picture."""
    return {200: {"description": "The picture.", "content": {"image/*": {}}}}


def document(app: FastAPI) -> dict[str, Any]:
    """Return an app's OpenAPI document: FastAPI's, with errors under their real media type and said once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=TITLE,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=TAGS,
            license_info={"name": "MIT", "identifier": "MIT"},
        )
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                describe_access(path, operation)
                share_errors(operation["responses"])
        schema["components"]["securitySchemes"] = SECURITY_SCHEMES
        schema["components"]["responses"] = {name: error_response(meaning) for name, meaning in SHARED.values()}
        remove_titles(schema["paths"])
        remove_titles(schema["components"])
        app.openapi_schema = schema
    return app.openapi_schema


def describe_access(path: str, operation: dict[str, Any]) -> None:
    """Add what every operation has in common: it may ask for a key, be too busy, or wait in vain for a body."""
    if path not in FOR_EVERYBODY:
        operation["security"] = [{}, *({name: []} for name in SECURITY_SCHEMES)]  # {}: a server without keys
        operation["responses"].setdefault(str(401), {})
    if "requestBody" in operation:
        operation["responses"].setdefault(str(408), {})
    operation["responses"] = dict(sorted(operation["responses"].items()))


def share_errors(responses: dict[str, Any]) -> None:
    """Replace an operation's errors by references to the shared ones."""
    for status in responses:
        if int(status) >= HTTPStatus.BAD_REQUEST:
            name, _ = SHARED[int(status)]
            responses[status] = {"$ref": f"#/components/responses/{name}"}


def error_response(meaning: str) -> dict[str, Any]:
    """Describe an error; FastAPI would say `application/json`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": meaning, "content": {MEDIA_TYPE: {"schema": schema}}}


def remove_titles(node: Any) -> None:
    """Remove the titles that are made from names ("item_id": "Item Id") and say nothing."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for child in node.values():
            remove_titles(child)
    elif isinstance(node, list):
        for child in node:
            remove_titles(child)
