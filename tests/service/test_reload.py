"""Following the store: what is swapped, what is refused, and who keeps serving meanwhile."""

import gc
import threading
import time
import weakref

import pytest
import structlog.testing

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.store import Store
from macrid.service import loaded_model
from macrid.service.errors import NotReadyError
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.reload import Reloader
from macrid.service.schemas import RecommendRequest
from tests.service.conftest import serving
from tests.support.bundles import make_bundle


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def reloader(store):
    return Reloader(store, Limits(), ranker="auto", interval=0.01)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    return [make_bundle(folder / str(seed), seed=seed) for seed in (1, 2)]


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class TestLook:
    def test_with_an_empty_store_nobody_is_served_and_the_reason_says_what_to_do(self, reloader):
        reloader.look()
        with pytest.raises(NotReadyError, match="no current version; publish one with `macrid publish`"):
            reloader.current()

    def test_a_published_version_serves(self, store, reloader, bundles):
        version = store.publish(bundles[0])
        reloader.look()
        assert reloader.current().version == version

    def test_the_same_version_is_not_loaded_twice(self, store, reloader, bundles):
        store.publish(bundles[0])
        reloader.look()
        serving = reloader.current()
        store.publish(bundles[0])  # a new pointer to the same content
        reloader.look()
        assert reloader.current() is serving

    def test_a_new_version_is_swapped_in_and_rolling_back_swaps_it_out(self, store, reloader, bundles):
        first = store.publish(bundles[0])
        reloader.look()
        second = store.publish(bundles[1])
        reloader.look()
        assert reloader.current().version == second
        store.roll_back()
        reloader.look()
        assert reloader.current().version == first

    def test_a_request_keeps_the_model_it_began_with(self, store, reloader, bundles):
        first = store.publish(bundles[0])
        reloader.look()
        held = reloader.current()
        before = held.recommend(RecommendRequest(history=["item-9"]))
        store.publish(bundles[1])
        reloader.look()
        assert reloader.current() is not held
        assert held.recommend(RecommendRequest(history=["item-9"])) == before
        assert before.model_version == first

    def test_a_model_nobody_holds_any_more_is_let_go_with_its_files(self, store, reloader, bundles, monkeypatch):
        closed = []
        close = Bundle.close
        monkeypatch.setattr(
            Bundle, "close", lambda bundle: (closed.append(bundle.manifest.model_version), close(bundle))
        )
        first = store.publish(bundles[0])
        reloader.look()
        held = weakref.ref(reloader.current().model)
        closed.clear()
        second = store.publish(bundles[1])
        reloader.look()
        gc.collect()
        assert held() is None
        assert first in closed
        assert reloader.current().version == second

    def test_a_small_catalogue_has_been_read_when_its_version_serves(self, store, reloader, bundles, monkeypatch):
        store.publish(bundles[0])
        reloader.look()
        serving = reloader.current()
        expected = serving.recommend(RecommendRequest(history=["item-3", "item-4"], n=10))

        def asked(*_):
            raise AssertionError("the catalogue was asked for items")

        monkeypatch.setattr(Catalogue, "items", asked)
        monkeypatch.setattr(Catalogue, "indices", asked)
        assert serving.recommend(RecommendRequest(history=["item-5"], n=40)).items
        assert serving.recommend(RecommendRequest(history=["item-3", "item-4"], n=10)) == expected

    def test_a_large_catalogue_is_asked_and_the_answers_are_the_same(self, store, reloader, bundles, monkeypatch):
        store.publish(bundles[0])
        reloader.look()
        request = RecommendRequest(history=["item-3", "item-4"], n=10)
        expected = reloader.current().recommend(request)
        monkeypatch.setattr(loaded_model, "KEPT_ITEMS", 10)
        asking = Recommender(LoadedModel.prepare(store.open_current()), Limits())
        assert asking.recommend(request) == expected
        assert asking.model._kept_items is None


class TestRefusal:
    @pytest.fixture
    def serving_first(self, store, reloader, bundles):
        version = store.publish(bundles[0])
        reloader.look()
        return version

    def test_a_damaged_version_is_refused_with_the_file_and_the_old_one_serves_on(
        self, store, reloader, bundles, serving_first
    ):
        damaged = store.publish(bundles[1])
        flip_a_byte(store.folder(damaged) / "embeddings.safetensors")
        with structlog.testing.capture_logs() as logs:
            reloader.look()
        assert reloader.current().version == serving_first
        assert reloader.refused.model_version == damaged
        assert "embeddings.safetensors" in reloader.refused.reason
        assert [(log["event"], log["model_version"], log["still_serving"]) for log in logs] == [
            ("refused", damaged, serving_first)
        ]

    def test_it_is_said_once_and_not_tried_again_until_something_is_published(
        self, store, reloader, bundles, serving_first, monkeypatch
    ):
        flip_a_byte(store.folder(store.publish(bundles[1])) / "catalogue.sqlite")
        reloader.look()
        monkeypatch.setattr(Store, "open_current", lambda store: pytest.fail("tried again"))
        with structlog.testing.capture_logs() as logs:
            reloader.look()
        assert logs == []

    def test_it_is_forgotten_when_the_store_is_rolled_back(self, store, reloader, bundles, serving_first):
        flip_a_byte(store.folder(store.publish(bundles[1])) / "concepts.json")
        reloader.look()
        assert reloader.refused is not None
        store.roll_back()
        reloader.look()
        assert reloader.refused is None
        assert reloader.current().version == serving_first

    def test_a_broken_pointer_is_refused_and_seen_again_once_it_is_whole(self, store, reloader, bundles, serving_first):
        pointer = store.root / "current.json"
        pointer.write_text("{")
        reloader.look()
        assert "current.json" in reloader.refused.reason
        assert reloader.current().version == serving_first
        second = store.publish(bundles[1])
        reloader.look()
        assert reloader.current().version == second
        assert reloader.refused is None

    def test_a_share_that_is_away_for_a_moment_is_asked_again(self, store, reloader, bundles, monkeypatch):
        version = store.publish(bundles[0])
        with monkeypatch.context() as patch:
            patch.setattr(Store, "open_current", lambda store: (_ for _ in ()).throw(OSError("stale file handle")))
            reloader.look()
        with pytest.raises(NotReadyError, match="stale file handle"):
            reloader.current()
        reloader.look()
        assert reloader.current().version == version

    def test_an_index_that_is_none_of_ours_is_refused_by_name(self, store, tmp_path):
        folder = make_bundle(tmp_path / "bundle", index_bytes=b"not an index", index={"kind": "flat"})
        store.publish(folder)
        reloader = Reloader(store, Limits(), ranker="by_concept", interval=1)
        reloader.look()
        with pytest.raises(NotReadyError, match=r"by_concept\.faiss"):
            reloader.current()

    @pytest.mark.parametrize("question", ["search", "encode", "recommend", "walk_from_item", "concepts", "concept"])
    def test_a_version_that_opens_but_cannot_answer_is_refused(self, store, reloader, bundles, monkeypatch, question):
        def fails(*_, **__):
            raise ValueError("no such page in memory")

        monkeypatch.setattr(Recommender, question, fails)
        store.publish(bundles[0])
        reloader.look()
        with pytest.raises(NotReadyError, match="no model is loaded: no such page in memory"):
            reloader.current()

    def test_what_a_swap_leaves_behind_is_given_back_at_the_next_look(self, store, reloader, bundles, monkeypatch):
        given_back = []
        monkeypatch.setattr("macrid.service.reload.give_back", lambda: given_back.append(reloader.current().version))
        version = store.publish(bundles[0])
        reloader.look()
        assert given_back == []
        reloader.look()
        reloader.look()
        assert given_back == [version]

    def test_a_version_that_only_garbage_holds_goes_at_the_next_look(self, store, reloader, bundles):
        store.publish(bundles[0])
        reloader.look()
        reloader.look()  # what opening it left behind has been given back
        gc.disable()
        try:
            held = weakref.ref(reloader.current().model)
            knot = [reloader.current()]  # as an error and its frames hold each other
            knot.append(knot)
            del knot
            store.publish(bundles[1])
            reloader.look()
            assert held() is not None
            reloader.look()
            assert held() is None
        finally:
            gc.enable()


class TestWatching:
    def test_a_server_follows_the_store_by_itself(self, store, bundles):
        with serving(store.root, reload_interval=0.02) as client:
            assert client.get("/readyz").status_code == 503
            version = store.publish(bundles[0])
            deadline = time.monotonic() + 10
            while client.get("/readyz").status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert client.get("/version").json()["model_version"] == version

    def test_readyz_shows_a_refusal_while_the_old_version_serves(self, store, bundles):
        serving_version = store.publish(bundles[0])
        with serving(store.root, reload_interval=3600) as client:
            damaged = store.publish(bundles[1])
            flip_a_byte(store.folder(damaged) / "embeddings.safetensors")
            client.app.state.reloader.look()
            ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["model_version"] == serving_version
        assert ready.json()["refused"]["model_version"] == damaged

    def test_an_answer_kept_from_the_old_version_is_not_taken_for_one_of_the_new(self, store, bundles):
        store.publish(bundles[0])
        with serving(store.root, reload_interval=3600) as client:
            tag = client.get("/concepts").headers["etag"]
            assert client.get("/concepts", headers={"if-none-match": tag}).status_code == 304
            store.publish(bundles[1])
            client.app.state.reloader.look()
            assert client.get("/concepts", headers={"if-none-match": tag}).status_code == 200

    def test_every_answer_during_swaps_is_wholly_from_one_version(self, store, bundles):
        versions = [store.publish(bundle) for bundle in bundles]
        expected = {}
        with serving(store.root, reload_interval=3600) as client:
            reloader = client.app.state.reloader
            for bundle, version in zip(bundles, versions, strict=True):
                store.publish(bundle)
                reloader.look()
                expected[version] = client.post("/recommend", json={"history": ["item-9"]}).json()["items"]
            stop = threading.Event()

            def keep_swapping():
                while not stop.is_set():
                    store.roll_back()
                    reloader.look()
                    store.publish(bundles[1])
                    reloader.look()

            swapping = threading.Thread(target=keep_swapping)
            swapping.start()
            seen = set()
            deadline = time.monotonic() + 10
            while len(seen) < 2 and time.monotonic() < deadline:
                answer = client.post("/recommend", json={"history": ["item-9"]}).json()
                assert answer["items"] == expected[answer["model_version"]]
                seen.add(answer["model_version"])
            stop.set()
            swapping.join()
        assert seen == set(versions)
