"""Make up requests from the OpenAPI document by the ten thousand, without keys and with: is every answer one it announces?

python -m benchmarks.generated_requests --examples 250 [--seed 0]
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.load import server
from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.service.app import create_app
from macrid.service.keys import create_key
from macrid.service.settings import Settings
from tests.support.bundles import item_ids_for, make_bundle
from tests.support.generated_requests import Known, Outcome, asking_for_keys, send

ITEMS = 60


def main() -> None:
    """Send, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=250, help="made up for each operation, without keys and with")
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful", help="of schemathesis")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    known = Known(item_ids_for(ITEMS), ("department", "year", "price"), concepts=3, dimensions=8)
    print(f"{describe()}; seed {arguments.seed}, {arguments.examples} examples")
    document = create_app(Settings()).openapi()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = Store(folder / "store")
        store.publish(make_bundle(folder / "bundle", items=ITEMS))
        key, keys_file = create_key(folder / "keys.json", "shop", "admin"), folder / "keys.json"
        for name, said, settings, used in (
            ("without keys", document, {}, None),
            ("with keys", asking_for_keys(document), {"keys_file": keys_file}, key),
        ):
            began = time.monotonic()
            with server(store.root, **settings) as (address, _):
                outcome = send(
                    said, address, known, examples=arguments.examples, phases=tuple(arguments.phases.split(",")),
                    seed=arguments.seed, key=used,
                )  # fmt: skip
            report(name, outcome, time.monotonic() - began)


def report(name: str, outcome: Outcome, seconds: float) -> None:
    """Print what came back, operation by operation, and every failure."""
    print(f"\n{name}: {outcome.requests} requests in {seconds:.0f} s, {len(outcome.failures)} kinds of failures")
    print(f"statuses: {shares(outcome.statuses)}")
    for operation, statuses in outcome.statuses_by_operation.items():
        print(f"| {operation} | {sum(statuses.values())} | {shares(statuses)} |")
    print(f"checks: {dict(outcome.checks)}")
    for failure, how in outcome.failures.items():
        print(f"FAILED {failure}\n{how}\n")


def shares(statuses: Counter[str]) -> str:
    """Write counts with their shares."""
    total = statuses.total()
    return ", ".join(f"{status}: {count} ({count / total:.1%})" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    main()
