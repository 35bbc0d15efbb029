"""Requests made up from the OpenAPI document: whatever is sent, the answer is one that the document announces.

A short run of what `python -m benchmarks.generated_requests` does at length.
"""

import pytest

from macrid.service.app import create_app
from macrid.service.keys import create_key
from macrid.service.settings import Settings
from tests.support.bundles import item_ids_for
from tests.support.generated_requests import Known, asking_for_keys, send
from tests.support.listening import listening

SMALL_SHOP = Known(item_ids_for(60), ("department", "year", "price"), concepts=3, dimensions=8)
EXAMPLES = 3  # of each of 20 operations


@pytest.mark.parametrize("with_keys", [False, True], ids=["without keys", "with keys"])
def test_no_made_up_request_is_answered_as_the_document_does_not_say(store_folder, tmp_path, with_keys):
    key = create_key(tmp_path / "keys.json", "shop", "admin") if with_keys else None
    settings = Settings(store=store_folder, keys_file=tmp_path / "keys.json" if with_keys else None, log_requests=False)
    app = create_app(settings)
    document = asking_for_keys(app.openapi()) if with_keys else app.openapi()
    with listening(app) as port:
        outcome = send(
            document, f"http://127.0.0.1:{port}", SMALL_SHOP, examples=EXAMPLES, phases=("fuzzing",), seed=1, key=key
        )
    assert outcome.failures == {}
    assert len(outcome.statuses_by_operation) == sum(map(len, document["paths"].values()))
    assert outcome.statuses["200"] >= 20  # it did get through
    assert outcome.statuses["422"] >= 5  # and broke the rules
    assert outcome.checks["ignored_auth"] > 0
