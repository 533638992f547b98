#!/usr/bin/env python3
"""Kills archive_tree at random moments, and checks that its archive is whole and its report the same.

    archive_tree_test.py PROGRAM [--seed N] [--kills N]

A failure prints the seed, which makes the same tree and the same delays again.
"""

import argparse
import gzip
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

FILES = 400
# A run that goes on for longer hangs.
RUN_TIMEOUT = 60
# On a slow machine, or under a sanitizer, there are fewer kills after this time, but so many.
ENOUGH_SECONDS = 20
MIN_KILLS = 4


def make_tree(root: Path, rng: random.Random) -> dict[bytes, bytes]:
    """Makes a tree, and gives the contents of its files by their paths."""
    contents: dict[bytes, bytes] = {}
    directories = [b""]
    for i in range(20):
        directory = os.path.join(rng.choice(directories), b"directory %d" % i)
        os.makedirs(os.path.join(os.fsencode(root), directory), exist_ok=True)
        directories.append(directory)
    names = [b"file%d" % i for i in range(FILES)]
    names += [b"new\nline", b"100%", b"%41", "ünïcödé 漢字".encode(), b"latin1 \xfc", b"x" * 240]
    for name in names:
        path = os.path.join(rng.choice(directories), name)
        block = rng.choice([b"words and words\n", b"\0", rng.randbytes(64)])
        content = block * rng.randrange(0, 3000)
        with open(os.path.join(os.fsencode(root), path), "wb") as file:
            file.write(content)
        contents[path] = content
    os.symlink(b".", os.path.join(os.fsencode(root), b"loop"))
    return contents


def encode(path: bytes) -> str:
    """Gives a path as the example writes it."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != ord("%") else f"%{byte:02X}" for byte in path
    )


class Archive:
    """One archive of the tree."""

    def __init__(self, program: str, tree: Path, to: Path) -> None:
        self.to = to
        self.command = [program, str(tree), str(to)]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self) -> str:
        with self.start() as process:
            out, err = process.communicate(timeout=RUN_TIMEOUT)
        assert process.returncode == 0, f"exit code {process.returncode}\n{out}\n{err}"
        return out

    def stop_after(self, delay: float, number: signal.Signals) -> int:
        with self.start() as process:
            time.sleep(delay)
            process.send_signal(number)
            _, err = process.communicate(timeout=RUN_TIMEOUT)
        assert process.returncode in (0, -number, 128 + number), (process.returncode, err)
        return process.returncode

    def report(self) -> bytes:
        return (self.to / "report.txt").read_bytes()

    def query(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(self.to / "archive.db", timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    def check(self, contents: dict[bytes, bytes]) -> None:
        files = os.path.join(os.fsencode(self.to), b"files")
        for path, content in contents.items():
            with gzip.open(os.path.join(files, path + b".gz")) as file:
                assert file.read() == content, path
        names = [name for _, _, found in os.walk(files) for name in found]
        assert len(names) == len(contents), "there are files of which the tree has none"

        rows = self.query("SELECT path, bytes, error FROM archived_files ORDER BY path")
        expected = sorted((encode(path), len(content), "") for path, content in contents.items())
        assert rows == expected, "each file must be kept once"
        runs = self.query("SELECT status FROM pgqrs_workflow_runs")
        assert runs and set(runs) == {(3,)}, f"all runs must have succeeded: {runs}"
        assert self.query("PRAGMA integrity_check") == [("ok",)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kills", type=int, default=10, help="how many runs to kill")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)

    with tempfile.TemporaryDirectory(prefix="pgqrs-archive-") as folder:
        tree = Path(folder).resolve() / "tree"
        contents = make_tree(tree, rng)
        whole = Archive(options.program, tree, Path(folder) / "whole")
        begin = time.monotonic()
        whole.run()
        duration = time.monotonic() - begin
        whole.check(contents)
        report = whole.report()
        written = (whole.to / "report.txt").stat()
        assert "complete already" in whole.run()
        again = (whole.to / "report.txt").stat()
        assert (written.st_ino, written.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
        print(f"{len(contents)} files in {duration:.2f} s without a kill")

        wanted = options.kills
        killed = 0
        attempt = 0
        while killed < wanted:
            attempt += 1
            archive = Archive(options.program, tree, Path(folder) / f"killed{attempt}")
            for _ in range(4):
                number = signal.SIGTERM if rng.random() < 0.2 else signal.SIGKILL
                if archive.stop_after(rng.uniform(0, duration), number) == 0:
                    break
                killed += 1
            archive.run()
            archive.check(contents)
            assert archive.report() == report, "the report is another one"
            if time.monotonic() - begin > ENOUGH_SECONDS:
                wanted = min(wanted, MIN_KILLS)
        print(f"{killed} kills in {attempt} archives; each was whole in the end")


if __name__ == "__main__":
    main()
