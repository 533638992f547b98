"""What holds of the package once it is installed from a wheel; scripts/test-wheel runs it."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pgqrs
from pgqrs import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PACKAGE = Path(pgqrs.__file__).parent
MODULE = Path(_core.__file__)

if not PACKAGE.is_relative_to(sys.prefix):
    pytest.skip("the package is not installed", allow_module_level=True)

# What a wheel may expect of a machine: the C and C++ libraries.
SYSTEM_LIBRARIES = {
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
}

ROUND_TRIP = """
async def round_trip(dsn):
    store = await pgqrs.connect(dsn)
    await pgqrs.admin(store).install()
    await store.queue("jobs")
    await pgqrs.produce(store, "jobs", {"to": "ada"})
    consumer = await store.consumer("jobs")
    [message] = await pgqrs.dequeue(consumer, 1)
    assert message.payload == {"to": "ada"}
    assert await pgqrs.archive(consumer, message)
"""


def output_of(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def run_script(script: str, *arguments: str) -> None:
    """Runs it in a fresh interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def libraries_of(file: Path) -> dict[str, Path]:
    """Name and path of each library that a program or library is loaded with."""
    found = {}
    for line in output_of("ldd", file).splitlines():
        name, _, rest = line.strip().partition(" => ")
        path = Path(os.path.normpath((rest or name).split(" (")[0]))
        if path.is_absolute():
            found[name if rest else path.name] = path
    return found


def test_from_3_12_on_the_module_is_of_the_stable_interface() -> None:
    assert MODULE.name.endswith(".abi3.so") == (sys.version_info >= (3, 12))


def test_the_wheel_holds_the_package_its_libraries_and_nothing_else() -> None:
    files = importlib.metadata.files("pgqrs")
    assert files is not None
    names = {str(file) for file in files if "__pycache__" not in str(file)}
    about = f"pgqrs-{importlib.metadata.version('pgqrs')}.dist-info"
    assert {name.split("/")[0] for name in names} == {"pgqrs", "pgqrs.libs", about}
    assert {"pgqrs/py.typed", "pgqrs/_core.pyi", "pgqrs/sync.pyi"} <= names
    sources = {f"pgqrs/{path.name}" for path in (ROOT / "bindings/python/pgqrs").glob("*.py")}
    assert sources == {name for name in names if name.endswith(".py")}


def test_what_is_loaded_comes_with_the_wheel_or_with_every_system() -> None:
    bundled = PACKAGE.parent / "pgqrs.libs"
    libraries = libraries_of(MODULE)
    outside = {name for name, path in libraries.items() if not path.is_relative_to(bundled)}
    assert outside <= SYSTEM_LIBRARIES
    assert any(name.startswith("libpq-") for name in libraries)
    assert not any("sqlite" in name for name in libraries)


def test_the_module_shows_nothing_but_its_entry() -> None:
    symbols = output_of("nm", "--dynamic", "--defined-only", "--format=just-symbols", MODULE)
    assert symbols.split() == ["PyInit__core"]


@pytest.mark.parametrize("imports", ["sqlite3, pgqrs", "pgqrs, sqlite3"])
def test_the_interpreter_and_the_package_have_a_sqlite_each(imports: str, tmp_path: Path) -> None:
    run_script(
        f"import asyncio, sys, {imports}\n"
        + ROUND_TRIP
        + textwrap.dedent(
            """
            own, queue = sys.argv[1:]
            with sqlite3.connect(own) as connection:
                connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT")
                asyncio.run(round_trip("sqlite:" + queue))
                connection.executemany("INSERT INTO numbers VALUES (?)", [(1,), (2,)])
                assert connection.execute("SELECT sum(number) FROM numbers").fetchone() == (3,)
            """
        ),
        str(tmp_path / "own.db"),
        str(tmp_path / "queue.db"),
    )


@pytest.fixture
def server() -> Iterator[str]:
    """A server that listens on TCP too: nothing of the file system leads into the bare root."""
    folder = tempfile.mkdtemp(prefix="pgqrs-pg-")
    script = ROOT / "scripts/postgres"
    try:
        # Not with its output caught: the server would keep the pipe open.
        start = [str(script), "start", folder, "--fsync", "off", "--owner", str(os.getpid())]
        subprocess.run(start, stdout=subprocess.DEVNULL, timeout=120, check=True)
        yield output_of(script, "dsn", folder, "--tcp").strip()
    finally:
        subprocess.run([script, "remove", folder], timeout=60, check=True)


def make_bare_root(root: Path) -> str:
    """Puts the interpreter, what it is linked to, and the package into a folder, and nothing else.

    Gives the interpreter's path in there.
    """
    interpreter = Path(os.path.realpath(getattr(sys, "_base_executable")))  # noqa: B009
    libraries = libraries_of(interpreter)
    for file in [MODULE, *(PACKAGE.parent / "pgqrs.libs").iterdir()]:
        for name, path in libraries_of(file).items():
            if name in SYSTEM_LIBRARIES:
                libraries[name] = path
    for path in [interpreter, *libraries.values()]:
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    standard = Path(os.__file__).parent
    shutil.copytree(
        standard,
        root / standard.relative_to("/"),
        ignore=shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__"),
    )
    for name in ["pgqrs", "pgqrs.libs"]:
        shutil.copytree(PACKAGE.parent / name, root / "package" / name)
    (root / "tmp").mkdir()
    (root / "etc").mkdir()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return str(interpreter)


def enter_root(root: Path) -> list[str]:
    """The command that runs another one with that root, or a skipped test."""
    tool = shutil.which("chroot" if os.geteuid() == 0 else "unshare", path="/usr/sbin:/usr/bin")
    assert tool is not None
    command = [tool] if os.geteuid() == 0 else [tool, "--map-root-user", "--root"]
    probe = subprocess.run([*command, "/", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"the root cannot be changed: {probe.stderr.strip()}")
    return [*command, str(root)]


def test_it_works_where_none_of_the_libraries_is_installed(tmp_path: Path, server: str) -> None:
    command = enter_root(tmp_path)
    interpreter = make_bare_root(tmp_path)
    script = (
        'import sys\nsys.path.insert(0, "/package")\nimport asyncio, pgqrs\n'
        + ROUND_TRIP
        + "for dsn in sys.argv[1:]:\n    asyncio.run(round_trip(dsn))\n    print('done')\n"
    )
    ended = subprocess.run(
        [*command, interpreter, "-I", "-c", script, "sqlite::memory:", "turso::memory:", server],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={},
        cwd="/",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["done"] * 3
