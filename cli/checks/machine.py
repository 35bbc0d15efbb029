"""The machine: Python, libraries, cores, memory, file handles. Each check takes what it judges, so that tests can break it."""

import importlib
import importlib.metadata
import os
import platform
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from macrid.cli.checks.finding import Finding, in_megabytes, ok, problem, warning

OLDEST_PYTHON = (3, 11)
# Measured: docs/operations.md, "How much memory".
WORKER_BYTES = 85_000_000  # of its own, beside the bundle
SUPERVISOR_BYTES = 70_000_000  # of the process that watches several, or the libraries of one
HANDLES_OF_A_SERVER = 128  # its files and sockets at rest, with room; every connection takes one more
HANDLES_WANTED = 1024
CGROUP = Path("/sys/fs/cgroup")


def check_machine(workers: int, bundle_bytes: int) -> Iterator[Finding]:
    """Look at the machine that is to serve a bundle of this size with so many workers."""
    yield check_python(sys.version_info[:3])
    yield check_libraries(server_requirements())
    yield check_faiss()
    yield check_numkong()
    yield check_cores(usable_cores(), workers, os.environ)
    yield check_memory(available_memory(), bundle_bytes, workers)
    yield check_handles(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def check_python(version: tuple[int, ...]) -> Finding:
    """Hold the interpreter to the oldest one that is supported."""
    said = f"Python {'.'.join(map(str, version))} on {platform.machine()}"
    if version < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return problem("machine: python", said, f"install Python {oldest} or newer, and Macrid for it")
    return ok("machine: python", said)


def server_requirements() -> list[Requirement]:
    """Return what the installed package says that a server needs; nothing when it is not installed as a package."""
    try:
        lines = importlib.metadata.requires("macrid") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    asked = [Requirement(line) for line in lines]
    return [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]


def check_libraries(requirements: Iterable[Requirement]) -> Finding:
    """Compare what is installed with what is needed."""
    requirements = list(requirements)
    wrong = [fault for one in requirements if (fault := _fault(one))]
    if wrong:
        advice = "install them: pip install --upgrade macrid (in a checkout: make demo)"
        return problem("machine: libraries", "; ".join(wrong), advice)
    if not requirements:
        said = "Macrid is not installed as a package, so nothing says which versions it needs"
        return warning("machine: libraries", said, "pip install macrid, or pip install --editable . in a checkout")
    return ok("machine: libraries", f"all {len(requirements)} there, in versions that fit")


def _fault(requirement: Requirement) -> str:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} is {version}, expected {requirement.specifier}"
    return ""


def check_faiss() -> Finding:
    """Let FAISS answer a question whose answer is known: its wheel may be for other processors, or lack a system library."""
    try:
        faiss, numpy = importlib.import_module("faiss"), importlib.import_module("numpy")
        index = faiss.IndexFlatIP(2)
        index.add(numpy.array([[1, 0], [0, 1]], dtype="float32"))
        found = int(index.search(numpy.array([[0, 1]], dtype="float32"), 1)[1][0, 0])
    except (ImportError, OSError, RuntimeError) as error:
        return problem("machine: faiss", f"cannot be used: {error}", "pip install --force-reinstall faiss-cpu")
    if found != 1:
        return problem("machine: faiss", f"answers {found} where 1 is right", "pip install --force-reinstall faiss-cpu")
    return ok("machine: faiss", f"{faiss.__version__}, {faiss.get_compile_options().strip() or 'generic'}")


def check_numkong() -> Finding:
    """Let NumKong answer a question whose answer is known, and say whether it will be asked here."""
    again = "pip install --force-reinstall numkong"
    try:
        numkong, numpy = importlib.import_module("numkong"), importlib.import_module("numpy")
        rows = numpy.array([[127, -127], [2, 3]], dtype="int8")
        found = numpy.asarray(numkong.dots_packed(rows, numkong.dots_pack(rows))).tolist()
        quick = importlib.import_module("macrid.service.ranking.rounded").are_quick()
    except (ImportError, OSError, RuntimeError) as error:
        return problem("machine: numkong", f"cannot be used: {error}", again)
    if found != [[32258, -127], [-127, 13]]:
        return problem("machine: numkong", f"answers {found} where [[32258, -127], [-127, 13]] is right", again)
    small = "small catalogues are ranked in eight bits" if quick else "no products of eight-bit numbers: all in float32"
    return ok("machine: numkong", f"{numkong.__version__}, {small}")


def usable_cores() -> float:
    """Return how many cores this process may use: its own, or what its container is allowed of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed, _, period = _text(CGROUP / "cpu.max").partition(" ")
    return min(cores, int(allowed) / int(period)) if allowed.isdigit() and period.isdigit() else cores


def check_cores(cores: float, workers: int, environment: Mapping[str, str]) -> Finding:
    """Compare workers with cores, and threads of the numerical libraries with both."""
    said = f"{cores:g} for {workers} workers" if workers != 1 else f"{cores:g} for one worker"
    if workers > max(1, cores):
        return warning("machine: cores", said, f"set workers to {max(1, int(cores))}: more only take turns")
    if workers > 1 and "OMP_NUM_THREADS" not in environment and "OPENBLAS_NUM_THREADS" not in environment:
        advice = "set OMP_NUM_THREADS=1, so that each worker keeps to a core"
        return warning("machine: cores", f"{said}, and OMP_NUM_THREADS is not set", advice)
    return ok("machine: cores", said)


def available_memory() -> int | None:
    """Return bytes that can still be had: of the machine, or of its container if that has less; None where nobody says."""
    lines = dict(line.partition(":")[::2] for line in _text(Path("/proc/meminfo")).splitlines())
    amounts = [int(lines["MemAvailable"].split()[0]) * 1024] if "MemAvailable" in lines else []
    limit, used = _text(CGROUP / "memory.max"), _text(CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit():
        amounts.append(max(0, int(limit) - int(used)))
    return min(amounts, default=None)


def needed_memory(bundle_bytes: int, workers: int) -> tuple[int, int]:
    """Return bytes for serving a bundle, which workers share, and for opening its successor beside it."""
    serving = SUPERVISOR_BYTES + workers * WORKER_BYTES + bundle_bytes
    return serving, serving + bundle_bytes


def check_memory(available: int | None, bundle_bytes: int, workers: int) -> Finding:
    """Compare memory with what serving takes, and a swap."""
    if available is None:
        said = "this system does not say how much is free"
        return warning("machine: memory", said, "see that the bundle fits twice: docs/operations.md")
    serving, swapping = needed_memory(bundle_bytes, workers)
    said = (
        f"{in_megabytes(available)} free; serving the current bundle takes about {in_megabytes(serving)}, "
        f"changing to another as large {in_megabytes(swapping)}"
    )
    if available < serving:
        return problem("machine: memory", said, "take a larger machine, or fewer workers")
    if available < swapping:
        return warning("machine: memory", said, "take a larger machine: while a version is replaced both are in memory")
    return ok("machine: memory", said)


def check_handles(limit: int) -> Finding:
    """Compare the limit of open files with what connections take."""
    if limit == resource.RLIM_INFINITY:
        return ok("machine: file handles", "as many as wanted")
    said = f"at most {limit:,} open at once; each connection takes one"
    advice = "raise it: ulimit -n 65536, or LimitNOFILE=65536 for systemd"
    if limit < HANDLES_OF_A_SERVER:
        return problem("machine: file handles", said, advice)
    if limit < HANDLES_WANTED:
        return warning("machine: file handles", said, advice)
    return ok("machine: file handles", said)


def _text(path: Path) -> str:
    """A line of the system's, empty where there is none."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
