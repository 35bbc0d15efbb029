"""Change, cut or lengthen a bundle's files at random: each time it must be refused, and the file named.

python -m benchmarks.corruptions --number 1000
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.machine import describe
from macrid.artifacts.bundle import Bundle
from macrid.artifacts.errors import BundleError
from tests.support.bundles import make_bundle

SEED = 0


def damage(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return what was done, and the bytes after it."""
    kind, at = rng.choice(("bit", "byte", "cut", "zeros", "more")), rng.randrange(len(data))
    if kind == "bit":
        return kind, data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == "byte":
        return kind, data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
    if kind == "zeros":  # a block that never reached the disk
        changed = data[:at] + bytes(len(data[at : at + 512])) + data[at + 512 :]
        return kind, changed if changed != data else data[:at]
    return (kind, data[:at]) if kind == "cut" else (kind, data + rng.randbytes(1 + at % 64))


def verdict(folder: Path, path: Path) -> str:
    """Say how a damaged bundle was met."""
    try:
        Bundle.open(folder).close()
    except BundleError as error:
        return "refused, file named" if str(path) in str(error) else f"refused, another named: {error}"
    except Exception as error:  # noqa: BLE001 - the very thing that must not happen
        return f"crashed: {type(error).__name__}"
    return "OPENED"


def main() -> None:
    """Damage, open, mend, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1000)
    number, rng = parser.parse_args().number, random.Random(SEED)
    print(f"{describe()}; seed {SEED}")
    counts: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_bundle(Path(scratch) / "bundle")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for at in range(number):
            path = files[at % len(files)]
            whole = path.read_bytes()
            kind, changed = damage(whole, rng)
            path.write_bytes(changed)
            counts[path.name, kind, verdict(folder, path)] += 1
            path.write_bytes(whole)
        Bundle.open(folder).close()  # so that every refusal was of the damage
    for (name, kind, result), count in sorted(counts.items()):
        print(f"| {name} | {kind} | {result} | {count} |")
    print(
        f"refused with the file named: {sum(n for key, n in counts.items() if key[2] == 'refused, file named')} of {number}"
    )


if __name__ == "__main__":
    main()
