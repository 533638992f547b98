"""What holds of the package once it is installed from a wheel; scripts/test-wheel runs it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pgqrs
import pgqrs.sync
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


def start_script(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts it in a fresh interpreter."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_script(script: str, *arguments: str, exit_code: int = 0) -> str:
    """Runs it in a fresh interpreter, and gives what it has printed."""
    with start_script(script, *arguments) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == exit_code, errors
    return output


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


MIXED_WRITERS = """
    import contextlib, json, sqlite3, sys, threading, time
    import pgqrs, pgqrs.sync

    path, table = sys.argv[1:]
    until = time.monotonic() + 4
    counts = {"messages": 0, "rows": 0, "archived": 0}
    errors = []

    def count(what):
        with lock:
            counts[what] += 1

    def repeat(step):
        while time.monotonic() < until and not errors:
            try:
                step()
            except Exception as error:
                # It has lost a fair fight, and has changed nothing.
                if "locked" not in str(error):
                    errors.append(repr(error))

    def connect():
        config = pgqrs.Config("sqlite:" + path)
        config.max_enqueue_per_second = config.max_enqueue_burst = None
        return pgqrs.sync.connect_with(config)

    def open_enqueue_and_close():
        with connect() as store:
            store.producer("jobs").enqueue(1)
            count("messages")

    def enqueue():
        producer.enqueue(2)
        count("messages")

    def consume():
        for message in consumer.dequeue(10):
            if consumer.archive(message.id):
                count("archived")

    def open_insert_and_close():
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            for _ in range(3):
                with connection:
                    connection.execute(f"INSERT INTO {table} DEFAULT VALUES")
                count("rows")

    lock = threading.Lock()
    with connect() as store:
        producer, consumer = store.producer("jobs"), store.consumer("jobs")
        steps = [enqueue, enqueue, consume, open_enqueue_and_close]
        steps += [open_insert_and_close] * 2
        threads = [threading.Thread(target=repeat, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps(counts | {"errors": errors}))
"""


def test_both_copies_of_sqlite_write_one_file_from_two_processes(tmp_path: Path) -> None:
    path = f"{tmp_path}/queue.db"
    tables = ["one", "two"]
    with pgqrs.sync.connect(f"sqlite:{path}") as store:
        store.queue("jobs")
    with sqlite3.connect(path) as connection:
        for table in tables:
            connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    connection.close()
    processes = [start_script(MIXED_WRITERS, path, table) for table in tables]
    counts = {}
    for table, process in zip(tables, processes, strict=True):
        with process:
            output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        counts[table] = json.loads(output)
        assert counts[table]["errors"] == []
        assert all(counts[table][what] > 0 for what in ["messages", "rows", "archived"])
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for table in tables:
        rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert rows == (counts[table]["rows"],)
    connection.close()
    with pgqrs.sync.connect(f"sqlite:{path}") as store:
        pgqrs.sync.admin(store).verify()
        metrics = store.metrics("jobs")
        archived = sum(count["archived"] for count in counts.values())
        assert metrics.archived_messages == archived
        assert metrics.total_messages == sum(count["messages"] for count in counts.values())


def test_what_is_stored_after_sqlite3_has_closed_the_file_survives_a_kill(tmp_path: Path) -> None:
    run_script(
        """
        import os, signal, sqlite3, sys
        import pgqrs.sync

        store = pgqrs.sync.connect("sqlite:" + sys.argv[1])
        store.queue("jobs")
        producer = store.producer("jobs")
        producer.enqueue(0)
        connection = sqlite3.connect(sys.argv[1])
        assert connection.execute("SELECT count(*) FROM pgqrs_messages").fetchone() == (1,)
        connection.close()
        for number in range(1, 20):
            producer.enqueue(number)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        f"{tmp_path}/queue.db",
        exit_code=-signal.SIGKILL,
    )
    with pgqrs.sync.connect(f"sqlite:{tmp_path}/queue.db") as store:
        messages = store.consumer("jobs").dequeue(1000)
    assert sorted(message.payload for message in messages) == list(range(20))


WRITE_ELSEWHERE = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        print("written")
    except sqlite3.OperationalError as error:
        print(error)
"""


def test_a_store_that_is_closed_leaves_sqlite3_its_locks(tmp_path: Path) -> None:
    with start_script(
        """
        import sqlite3, sys
        import pgqrs, pgqrs.sync

        config = pgqrs.Config("sqlite:" + sys.argv[1])
        config.connection_timeout_seconds = 0.1
        with pgqrs.sync.connect_with(config) as store:
            store.queue("jobs")
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("CREATE TABLE numbers (number INTEGER)")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO numbers VALUES (1)")
        print("closed", flush=True)
        input()
        connection.execute("COMMIT")
        print("committed", flush=True)
        input()
        assert connection.execute("SELECT * FROM numbers").fetchall() == [(1,)]
        """,
        f"{tmp_path}/queue.db",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "closed\n"
        write = [WRITE_ELSEWHERE, f"{tmp_path}/queue.db"]
        assert run_script(*write) == "database is locked\n"
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "committed\n"
        assert run_script(*write) == "written\n"
        _, errors = process.communicate("\n", timeout=60)
    assert process.returncode == 0, errors


def test_no_descriptors_are_left_whatever_sqlite3_has_open(tmp_path: Path) -> None:
    run_script(
        """
        import contextlib, os, sqlite3, sys
        import pgqrs.sync

        def open_and_close(times):
            for _ in range(times):
                with pgqrs.sync.connect("sqlite:" + sys.argv[1]) as store:
                    store.get_messages().count()
            return len(os.listdir("/proc/self/fd"))

        before = open_and_close(1)
        assert open_and_close(200) == before
        with contextlib.closing(sqlite3.connect(sys.argv[1])) as connection:
            connection.execute("SELECT count(*) FROM pgqrs_messages").fetchone()
            during = open_and_close(1)
            assert open_and_close(200) == during
        assert open_and_close(1) == before
        """,
        f"{tmp_path}/queue.db",
    )


def test_sqlite3_does_not_get_at_a_file_that_turso_has_open(tmp_path: Path) -> None:
    path = f"{tmp_path}/queue.db"
    with pgqrs.sync.connect(f"turso:{path}") as store:
        store.queue("jobs")
        for _ in range(2):
            connection = sqlite3.connect(path, timeout=0)
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                connection.execute("SELECT count(*) FROM pgqrs_messages")
            connection.close()
        assert run_script(WRITE_ELSEWHERE, path) == "database is locked\n"
        store.producer("jobs").enqueue(1)
    assert run_script(WRITE_ELSEWHERE, path) == "written\n"


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
