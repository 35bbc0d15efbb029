"""kill -9 at random moments of training, exporting and publishing: is anything lost, does anything wrong open, does it go on?

Each try is a fork of this process, which has everything imported, killed at a moment drawn uniformly over the time that the
phase takes when nobody kills it. Everything random comes from the seed, except how far the process has come by then.

python -m benchmarks.kills --number 200
"""

import argparse
import dataclasses
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.machine import describe
from macrid.artifacts.bundle import Bundle
from macrid.artifacts.files import PARTIAL
from macrid.artifacts.store import Store
from macrid.model.checkpoint import Checkpoints
from macrid.model.export import Provenance, export
from macrid.model.items import untitled
from macrid.model.network import MacridVAE
from macrid.model.training import train
from tests.support.bundles import make_bundle
from tests.support.groups import CONFIG, groups_split

SEED = 0
# Random, because the start from co-clicks would take most of the time, during which there is no state to lose yet.
TRAINING = dataclasses.replace(CONFIG, epochs=5, initialisation="random")


class WrongError(Exception):
    """What must not happen after a kill has happened."""


def fork(work: Callable[[], object]) -> int:
    """Do some work in a fork of this process; return the fork's process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def whole(work: Callable[[], object]) -> float:
    """Do some work in a fork to its end; return the seconds it took."""
    began = time.perf_counter()
    if os.waitpid(fork(work), 0)[1] != 0:
        raise WrongError(f"{work} failed although nobody killed it")
    return time.perf_counter() - began


def killed(work: Callable[[], object], after: float) -> bool:
    """Do some work in a fork that is killed after so many seconds; say whether that was before its end."""
    pid = fork(work)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status)


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def expect(right: bool, message: str) -> None:
    """Stop where something is wrong."""
    if not right:
        raise WrongError(message)


class Publishing:
    """A store with a current version, into which another is published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bundles = [make_bundle(folder / f"bundle-{seed}", items=2000, dimensions=64, seed=seed) for seed in (1, 2)]
        self.before = Store(folder / "before")
        self.versions = [self.before.publish(self.bundles[0]), Bundle.open(self.bundles[1]).manifest.model_version]

    def prepare(self) -> None:
        """Put the store back to where it was."""
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        shutil.copytree(self.before.root, self.folder / "store")
        self.store = Store(self.folder / "store")

    def work(self) -> None:
        """Publish the other version."""
        self.store.publish(self.bundles[1])

    def check(self) -> str:
        """Hold what is left to what must be true; return what was found."""
        current = self.store.open_current()
        current.close()
        found = current.manifest.model_version
        expect(found in self.versions, f"the current version is {found}")
        for version in self.store.versions():
            original = self.bundles[self.versions.index(version)]
            expect(files(self.store.folder(version)) == files(original), f"{version} is not what was published")
        self.work()
        expect(self.store.current() == self.versions[1], "publishing again does not help")
        expect(self.store.roll_back() == self.versions[0], "the version before is lost")
        expect(not [*self.store.root.rglob(PARTIAL)], "something is left over after publishing again")
        return f"current is {'the new' if found == self.versions[1] else 'the old'} version"


class Exporting:
    """A network, written as a bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bundle"
        split = groups_split()
        self.training, self.items = split.training, untitled(split.item_ids)
        self.network = MacridVAE(split.training.shape[1], CONFIG.network, torch.Generator().manual_seed(SEED))
        self.prepare()
        self.work()  # in this process, so that every fork has imported what it imports
        self.version = Bundle.open(self.folder).manifest.model_version

    def prepare(self) -> None:
        """Take away what is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for leftover in self.folder.parent.glob(PARTIAL):
            shutil.rmtree(leftover)

    def work(self) -> None:
        """Export."""
        provenance = Provenance("kills", "training_users", {}, {}, {})
        export(self.network, self.training, self.items, provenance, self.folder)

    def check(self) -> str:
        """Hold what is left to what must be true; return what was found."""
        there = self.folder.exists()
        if not there:
            whole(self.work)
        bundle = Bundle.open(self.folder)
        bundle.close()
        expect(bundle.manifest.model_version == self.version, "the bundle opens and is another one")
        return "the bundle is there" if there else "no bundle is there"


class Training:
    """A training that keeps its state after every update."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.split = groups_split()
        torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # the first imports the most of torch, for seconds
        self.prepare()
        whole(self.work)
        self.expected = self.result.read_text()

    def prepare(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.folder / "training", ignore_errors=True)
        (self.folder / "training").mkdir()
        self.state, self.result = self.folder / "training/state.npz", self.folder / "training/result"

    def work(self) -> None:
        """Train, going on from what is there; write down a digest of the network and of every epoch's loss."""
        trained = train(self.split, TRAINING, checkpoints=Checkpoints(self.state, every_seconds=0, resume=True))
        digest = hashlib.sha256(repr([epoch.loss for epoch in trained.history]).encode())
        for name, tensor in sorted(trained.network.state_dict().items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        self.result.write_text(digest.hexdigest())

    def check(self) -> str:
        """Go on, and hold the result to that of a training nobody killed."""
        there = self.state.exists()
        whole(self.work)
        expect(self.result.read_text() == self.expected, "the training that went on gave another network")
        return "resumed from a state" if there else "begun anew, no state yet"


def usual(phase: Publishing | Exporting | Training) -> float:
    """Return the seconds that a phase takes, the middle of three."""
    seconds = []
    for _ in range(3):
        phase.prepare()
        seconds.append(whole(phase.work))
    return sorted(seconds)[1]


def tries(name: str, phase: Publishing | Exporting | Training, number: int, rng: random.Random) -> int:
    """Kill a phase so many times; print what was found; return how many times something was wrong."""
    seconds, found, wrong = usual(phase), Counter[str](), 0
    for _ in range(number):
        phase.prepare()
        after = rng.uniform(0, seconds)
        early = killed(phase.work, after)
        try:
            found[f"{phase.check()}{'' if early else ' (was done)'}"] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            wrong += 1
            print(f"WRONG after {after:.4f} s of {name}: {type(error).__name__}: {error}")
    print(f"| {name} | {number} | {seconds * 1000:.0f} ms | {wrong} | {dict(found)} |", flush=True)
    return wrong


def main() -> None:
    """Kill, check, count; the exit code says whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=200, help="of kills, shared by the three phases")
    number, rng = parser.parse_args().number, random.Random(SEED)
    torch.set_num_threads(1)
    print(f"{describe()}; seed {SEED}")
    print("| phase | kills | takes | wrong | found |\n|---|---|---|---|---|")
    phases = {"train": Training, "export": Exporting, "publish": Publishing}
    shares = [number // 3 + (at < number % 3) for at in range(3)]
    wrong = 0
    for (name, phase), share in zip(phases.items(), shares, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            wrong += tries(name, phase(Path(folder)), share, rng)
    print(f"{number} kills, {wrong} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
