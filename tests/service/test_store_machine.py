"""Publish, roll back, reload, collect, damage and ask in any order: what is served is whole and of one version."""

import shutil
import tempfile
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError, StoreError
from macrid.artifacts.store import Store
from macrid.service.errors import NotReadyError
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.reload import Reloader
from macrid.service.schemas import RecommendRequest
from tests.support.bundles import make_bundle

VERSIONS = 3
FILES = ("manifest.json", "embeddings.safetensors", "catalogue.sqlite", "concepts.json")
QUESTIONS = [RecommendRequest(history=[f"item-{at}"], n=3) for at in (9, 10, 11)]


class Life(RuleBasedStateMachine):
    """A store, a server's reloader, requests that are under way; and beside them what must be true."""

    shelf: dict[str, Path]  # set by the fixture below
    answers: dict[str, list]

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "store")
        self.reloader = Reloader(self.store, Limits(), ranker="auto", interval=1)
        self.history: list[str] = []  # current first
        self.damaged: set[str] = set()
        self.served: str | None = None
        self.under_way: list[Recommender] = []
        self.taken = WeakKeyDictionary[
            Recommender, int
        ]()  # with which manifest, as an inode: that is what its lease locks

    def teardown(self):
        shutil.rmtree(self.folder)

    @property
    def current(self):
        return self.history[0] if self.history else None

    def there(self, version):
        return self.store.folder(version).is_dir()

    def manifest(self, version):
        path = self.store.folder(version) / "manifest.json"
        return path.stat().st_ino if path.exists() else None

    def in_use(self):
        """What a server has open; whoever puts another manifest in the place of the one it locks takes the lock away."""
        serving = [self.reloader.current()] if self.served else []
        return {
            model.version for model in [*serving, *self.under_way] if self.manifest(model.version) == self.taken[model]
        }

    @initialize(count=st.sampled_from([0, 2, 3, 3]))
    def begin(self, count):
        """Mostly with something that is served, and something newer that is not yet."""
        for at in range(count):
            self.publish(at)
            if at == 0:
                self.reload()

    @rule(at=st.integers(0, VERSIONS - 1))
    def publish(self, at):
        version, bundle = list(self.shelf.items())[at]
        if self.there(version) and version in self.damaged:
            with pytest.raises(BundleError, match="has this version already, damaged"):
                self.store.publish(bundle)
            return
        assert self.store.publish(bundle) == version
        self.history = [version, *(earlier for earlier in self.history if earlier != version)]

    @rule()
    def roll_back(self):
        earlier = [version for version in self.history[1:] if self.there(version)]
        if not earlier:
            with pytest.raises(StoreError, match="no earlier version"):
                self.store.roll_back()
        elif earlier[0] in self.damaged:
            with pytest.raises(BundleError, match=earlier[0]):
                self.store.roll_back()
        else:
            assert self.store.roll_back() == earlier[0]
            self.history = earlier

    @rule(keep=st.integers(0, 2))
    def collect_garbage(self, keep):
        kept = [version for version in self.history[1:] if self.there(version)][:keep]
        safe = {*self.history[:1], *kept, *self.in_use()}
        removed = self.store.collect_garbage(keep).removed
        assert all(map(self.there, safe))
        assert not any(map(self.there, removed))
        self.damaged -= set(removed)

    @precondition(lambda self: any(map(self.there, self.shelf)))
    @rule(data=st.data())
    def damage(self, data):
        """As a disk or a hand does it: other bytes under the same name. What is open already keeps the file that it verified."""
        version = data.draw(st.sampled_from([version for version in self.shelf if self.there(version)]))
        path = self.store.folder(version) / data.draw(st.sampled_from(FILES))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.unlink()
        path.write_bytes(content)
        if content == (self.shelf[version] / path.name).read_bytes():
            return  # twice the same bit: mended
        self.damaged.add(version)

    @precondition(lambda self: self.damaged)
    @rule()
    def mend(self):
        """As the error says: remove it and publish again."""
        version = min(self.damaged)
        shutil.rmtree(self.store.folder(version))
        self.damaged.discard(version)
        self.publish(list(self.shelf).index(version))

    @rule()
    def reload(self):
        self.reloader.look(again=True)
        if self.current is None:
            return
        if self.current in self.damaged and self.current != self.served:
            assert self.reloader.refused.model_version == self.current
        elif self.current not in self.damaged:
            assert self.reloader.refused is None
            self.served = self.current
        if self.served:
            self.taken.setdefault(self.reloader.current(), self.manifest(self.served))

    @precondition(lambda self: self.served)
    @rule()
    def begin_a_request(self):
        self.under_way.append(self.reloader.current())

    @precondition(lambda self: self.under_way)
    @rule(at=st.integers(0, len(QUESTIONS) - 1))
    def end_a_request(self, at):
        recommender = self.under_way.pop(0)
        answer = recommender.recommend(QUESTIONS[at])
        assert answer.model_version == recommender.version
        assert [item.item_id for item in answer.items] == self.answers[answer.model_version][at]

    @invariant()
    def the_current_version_is_what_was_published_last_or_rolled_back_to(self):
        assert self.store.current() == self.current
        if self.current is None:
            return
        assert self.there(self.current)
        if self.current in self.damaged:
            with pytest.raises(BundleError, match=str(self.store.folder(self.current))):
                self.store.open_current()
        else:
            bundle = self.store.open_current()
            assert bundle.manifest.model_version == self.current
            bundle.close()

    @invariant()
    def what_serves_was_whole_when_it_was_taken(self):
        if self.served is None:
            with pytest.raises(NotReadyError):
                self.reloader.current()
            return
        answer = self.reloader.current().recommend(QUESTIONS[0])
        assert answer.model_version == self.served
        assert [item.item_id for item in answer.items] == self.answers[self.served][0]


@pytest.fixture(scope="module", autouse=True)
def _bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    bundles = [make_bundle(folder / str(seed), items=16, dimensions=4, seed=seed) for seed in range(VERSIONS)]
    Life.shelf, Life.answers = {}, {}
    for bundle in bundles:
        recommender = Recommender(LoadedModel.prepare(Bundle.open(bundle)), Limits())
        Life.shelf[recommender.version] = bundle
        Life.answers[recommender.version] = [
            [item.item_id for item in recommender.recommend(question).items] for question in QUESTIONS
        ]
    assert len({str(answers) for answers in Life.answers.values()}) == VERSIONS  # they can be told apart


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
