"""Requests that schemathesis makes up from the OpenAPI document, sent to a running server, every answer checked.

About half of what it makes up fits the document and half breaks it in one place; before it is sent some of its ids, columns and
numbers are exchanged for those of the bundle that is served, so that answers are more than 404.
"""

import json
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from macrid.service.schemas.base import MAX_ITEM_ID_LENGTH

IDS = frozenset({"history", "histories", "exclude", "liked", "disliked", "item", "item_id"})
FILTERS = (
    '{"column":"price","lt":9}',
    '{"not":{"column":"department","equals":"bags"}}',
    '{"column":"year","in":[1991]}',
)

RULE_OF_ADJUSTMENTS = "exactly one of value, shift and quantile must be given"


@dataclass(frozen=True)
class Known:
    """What the served model holds."""

    items: tuple[str, ...]
    columns: tuple[str, ...]
    concepts: int
    dimensions: int


@dataclass
class Outcome:
    """What was sent and what came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    statuses_by_operation: dict[str, Counter[str]] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)  # one of each kind: what, and how to see it again

    @property
    def requests(self) -> int:
        """How many were answered or not."""
        return self.statuses.total()


def send(
    document: dict[str, Any], address: str, known: Known, *, examples: int, phases: tuple[str, ...], seed: int = 0,
    key: str | None = None,
) -> Outcome:  # fmt: skip
    """Send some requests to each operation of a document, with all of schemathesis' checks on the answers.

    Args:
        document: OpenAPI.
        address: of the server, http://host:port.
        known: what to exchange made-up values for.
        examples: how many requests to make up for each operation, in the phase "fuzzing".
        phases: of schemathesis; "coverage" tries every bound of every field, "fuzzing" anything.
        seed: the same sends the same requests.
        key: of the API, where the server asks for one; then the document must say that it does.
    """
    config = {
        "base-url": address,
        "seed": seed,
        "workers": 1,
        "continue-on-failure": True,
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "generation": {
            "max-examples": examples,
            "deterministic": True,
            "database": "none",
            "no-shrink": True,
            "with-security-parameters": False,
        },
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
        "checks": {"positive_data_acceptance": {"expected-statuses": [200, 304, 404, 409, 413]}},
    }
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
    for part in ("path_parameters", "query", "body"):
        schema.hook(f"map_{part}")(lambda _, value: at_home(value, known))
    schema.hook("filter_failure")(lambda _, failure, case, response: not refused_by_model(failure, response))
    return collect(schema)


def collect(schema: Any) -> Outcome:
    """Run schemathesis, and count."""
    outcome = Outcome()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, NonFatalError | FatalError):
            outcome.failures.setdefault(f"{type(event).__name__}: {getattr(event, 'label', '')}", repr(event))
        if not isinstance(event, ScenarioFinished):
            continue
        label = str(event.label)
        by_operation = outcome.statuses_by_operation.setdefault(label, Counter())
        for interaction in event.recorder.interactions.values():
            status = str(interaction.response.status_code) if interaction.response else "no answer"
            outcome.statuses[status] += 1
            by_operation[status] += 1
        for case, nodes in event.recorder.checks.items():
            outcome.checks.update(node.name for node in nodes)
            for failed in (node.failure_info for node in nodes if node.failure_info is not None):
                interaction = event.recorder.interactions.get(case)
                answer = interaction.response.content[:500] if interaction and interaction.response else b""
                outcome.failures.setdefault(
                    f"{label}: {failed.failure.title}", f"{failed.failure.message}\n{answer!r}\n{failed.code_sample}"
                )
    return outcome


def refused_by_model(failure: Any, response: Any) -> bool:
    """Say whether a request that fits the document was rightly refused, by a rule that no document can state.

    Those are what only the served model knows (such a refusal names the model), that a filter in a query is JSON and bounds
    each side once, and the one rule on several fields of an adjustment together.
    """
    if failure.code != "ST202" or response.status_code != 422:
        return False
    problem = response.json()
    return "model_version" in problem or all(
        error["field"].startswith("filter") or error["message"] == RULE_OF_ADJUSTMENTS for error in problem["errors"]
    )


def at_home(value: Any, known: Known, name: str = "") -> Any:
    """Return a value with some of what it names exchanged for what there is; what broke the document's rules still does."""
    if isinstance(value, dict):
        return {inner: at_home(part, known, str(inner)) for inner, part in value.items()}
    if isinstance(value, list):
        return [at_home(part, known, name) for part in value]
    chance = zlib.crc32(repr(value).encode("utf-8", "surrogatepass"))
    if chance % 4 == 0:  # a quarter stays as it was made up
        return value
    if isinstance(value, str):
        if name in IDS and 1 <= len(value) <= MAX_ITEM_ID_LENGTH:
            return known.items[chance % len(known.items)]
        if name == "column":
            return known.columns[chance % len(known.columns)]
        if name == "filter":
            return FILTERS[chance % len(FILTERS)]
    if isinstance(value, int) and not isinstance(value, bool):
        bound = {"concept": known.concepts, "dim": known.dimensions}.get(name)
        return value % bound if bound else value
    return value


def asking_for_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a server with keys: nothing but what is for everybody can be asked without one.

    Of the two places for a key it names one: with both, a wrong key in one is no wrong request when the other has the right one.
    """
    document = json.loads(json.dumps(document))
    for operations in document["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"] = [{"Bearer": []}]
    return document
