"""Change a bundle's files by hand, and restate its manifest so that nothing but the change is wrong."""

import hashlib
import json


def edit_json(path, change):
    """Read a JSON file, let `change` alter the value in place, and write it back."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def restate(folder, **fields):
    """Let the manifest list the files as they are now, with other `fields`, and give it the version that is then right.

    The version is computed as artifacts/README.md says, not with the code under test.
    """
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_text(encoding="utf-8")), **fields}
    if "files" not in fields:
        manifest["files"] = {name: described(folder / name) for name in manifest["files"]}
    content = {**manifest, "model_version": "", "created_at": "", "data": {}}
    content.pop("digest", None)
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    version = f"{manifest['name']}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    seal(path, {**manifest, "model_version": fields.get("model_version", version)})


def seal(path, manifest):
    """Write a manifest with the digest that is then right, the one way that manifests are written."""
    if "digest" in manifest:
        manifest["digest"] = hashlib.sha256(written({**manifest, "digest": ""}).encode()).hexdigest()
    path.write_text(written(manifest), encoding="utf-8")


def written(manifest):
    return json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def described(path):
    """What the manifest says of a file."""
    return {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def flip_a_byte(path, at=-1):
    """Turn over the lowest bit of one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def files_of(folder):
    """All paths below a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
