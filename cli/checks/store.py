"""The store and the bundle that it says is current, by the checks with which the server itself opens them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from macrid.artifacts.errors import ArtifactError, StoreError
from macrid.artifacts.pointer import Pointer
from macrid.artifacts.store import RECALL_FLOOR, Store, check_recall
from macrid.cli.checks.finding import Finding, in_megabytes, ok, problem, warning
from macrid.service.loaded_model import LoadedModel, RankerChoice
from macrid.service.recommender import Limits, Recommender
from macrid.service.reload import UNSERVABLE, warm_up

MANY_VERSIONS = 10
PUBLISH = "macrid publish BUNDLE --store {0}"


def check_store(store: Store, ranker: RankerChoice) -> Iterator[Finding]:
    """Look at a store: its folder, its pointer, its versions, who has them open, what broke off; then at its bundle."""
    yield (folder := check_folder(store.root))
    if folder.state == "problem":
        return
    pointer, finding = check_pointer(store)
    yield finding
    yield check_versions(store, pointer)
    yield check_leases(store, pointer)
    yield check_leftovers(store)
    yield check_disk(shutil.disk_usage(store.root).free, bundle_bytes(store), store.root)
    if pointer is not None:
        yield check_bundle(store, ranker)


def bundle_bytes(store: Store) -> int:
    """Return the size of the current version's files; 0 where there is none."""
    try:
        current = store.current()
    except (StoreError, OSError):
        return 0
    return size_of(store.folder(current)) if current else 0


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [below for below in path.rglob("*") if below.is_file()]
    return sum(file.stat().st_size for file in files)


def check_folder(root: Path) -> Finding:
    """See whether the folder is there, and what this user may do in it."""
    check = "store: folder"
    if not root.exists():
        return problem(
            check, f"{root} is not there", f"publish something ({PUBLISH.format(root)}), or correct the setting store"
        )
    if not root.is_dir():
        return problem(check, f"{root} is not a folder", "correct the setting store")
    if not os.access(root, os.R_OK | os.X_OK):
        return problem(
            check, f"{root} cannot be read by this user", f"let the server's user read it: chmod -R a+rX {root}"
        )
    writable = os.access(root, os.W_OK)
    return ok(
        check, f"{root}, {'readable and writable' if writable else 'only readable, so nothing is published from here'}"
    )


def check_pointer(store: Store) -> tuple[Pointer | None, Finding]:
    """Read what is current; returns it too, None where that is not known."""
    check = "store: pointer"
    try:
        pointer = store.pointer()
    except StoreError as error:
        return None, problem(check, str(error), f"{PUBLISH.format(store.root)}, with one of these as BUNDLE")
    except OSError as error:
        return None, problem(check, f"cannot be read: {error}", "let the server's user read it")
    if pointer is None:
        return None, problem(check, "nothing has been published", PUBLISH.format(store.root))
    return pointer, ok(check, f"{pointer.model_version} is current, published at {pointer.published_at}")


def check_versions(store: Store, pointer: Pointer | None) -> Finding:
    """Count versions, and see what could be rolled back to."""
    check, there = "store: versions", store.versions()
    total = in_megabytes(sum(size_of(store.folder(version)) for version in there))
    said = f"{len(there)} there, {total}"
    earlier = [one.model_version for one in (pointer.previous if pointer else ()) if one.model_version in there]
    said += f"; {earlier[0]} can be rolled back to" if earlier else "; none to roll back to"
    if len(there) > MANY_VERSIONS:
        return warning(check, said, f"remove old ones: macrid gc --store {store.root}")
    return ok(check, said)


def check_leases(store: Store, pointer: Pointer | None) -> Finding:
    """See which versions are open, and whether somebody serves another than the current one."""
    check, opened = "store: leases", store.opened()
    if not opened:
        return ok(
            check, "no version is open: no server runs on this store, or on a machine whose locks do not reach here"
        )
    said = f"open: {', '.join(opened)}"
    if pointer is not None and pointer.model_version not in opened:
        advice = "look at that server's /readyz and log: it refused the current version, or does not see this store"
        return warning(check, f"{said}; but not the current {pointer.model_version}", advice)
    return ok(check, said)


def check_leftovers(store: Store) -> Finding:
    """See what publishings that broke off have left."""
    check, left = "store: leftovers", store.leftovers()
    if store.is_being_changed():
        return ok(check, "somebody is publishing just now")
    if not left:
        return ok(check, "none")
    said = f"{len(left)} of publishings that broke off, {in_megabytes(sum(map(size_of, left)))}: {left[0]}"
    return warning(check, said, f"the next publishing removes them, and so does macrid gc --store {store.root}")


def check_disk(free: int, current: int, root: Path) -> Finding:
    """Compare the room on the store's disk with what another version takes."""
    check, said = (
        "store: disk",
        f"{in_megabytes(free)} free; a version as large as the current one takes {in_megabytes(current)}",
    )
    advice = f"make room, for example with macrid gc --store {root}"
    if free < current:
        return problem(check, said, f"{advice}: the next publishing would fail")
    if free < 2 * current:
        return warning(check, said, advice)
    return ok(check, said)


def check_bundle(store: Store, ranker: RankerChoice) -> Finding:
    """Open, verify and ask the current bundle, as a server does before it serves it."""
    check = "bundle"
    try:
        bundle = store.open_current()
        try:
            warm_up(Recommender(LoadedModel.prepare(bundle, ranker), Limits()))
        except BaseException:
            bundle.close()
            raise
    except UNSERVABLE as error:
        advice = f"macrid roll-back --store {store.root}, or publish it again from where it was made"
        return problem(check, str(error), advice)
    manifest = bundle.manifest
    said = (
        f"verified: {manifest.items:,} items, {manifest.concepts} concepts, {manifest.dimensions} dimensions, "
        f"format {manifest.format_version}, made at {manifest.created_at}"
    )
    try:
        check_recall(manifest, RECALL_FLOOR, str(bundle.folder))
    except ArtifactError as error:
        return warning(check, f"{said}; {error}", "export it again with more memory for its index")
    return ok(check, said)
