#!/usr/bin/env python3
"""Kills index_files at random moments and compares its table with a computation of its own.

    kill_and_resume_test.py PROGRAM [--seed N] [--kills N]

A failure prints the seed, which makes the same tree and the same delays again.
"""

import argparse
import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

FILES = 3000
# A run that goes on for longer hangs.
RUN_TIMEOUT = 40
# On a slow machine, or under a sanitizer, there are fewer kills after this time, but so many.
ENOUGH_SECONDS = 12
MIN_KILLS = 5

Row = tuple[int, int, int, str]


def encode(path: bytes) -> str:
    """Gives the readable form of a path that the example promises."""
    text = ""
    for char in path.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char == "%" or code < 0x20 or 0x7F <= code < 0xA0 or 0xDC80 <= code <= 0xDCFF:
            text += "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        else:
            text += char
    return text


def index_entry(content: bytes) -> Row:
    words = len(content.split())
    return len(content), content.count(b"\n"), words, hashlib.sha256(content).hexdigest()


class Tree:
    """A directory tree, what its index must be, and which paths must be dead letters."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root = os.fsencode(root)
        self.rng = rng
        self.rows: dict[str, Row] = {}
        self.dead: dict[str, str] = {}
        os.makedirs(self.root)
        directories = self._add_plain_files()
        self._add_odd_names()
        self._add_odd_contents()
        self._add_links(directories[-1])
        self._add_unreadable()

    def _add(self, path: bytes, content: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content)
        self.rows[encode(path)] = index_entry(content)

    def _add_plain_files(self) -> list[bytes]:
        directories = [self.root]
        for i in range(60):
            directory = os.path.join(self.rng.choice(directories), b"directory %d" % i)
            os.mkdir(directory)
            directories.append(directory)
        for i in range(FILES):
            length = self.rng.randrange(0, 2000)
            alphabet = self.rng.choice([b"ab \n", b"word \t\r\n\v\f", bytes(range(256))])
            content = bytes(self.rng.choices(alphabet, k=length))
            self._add(os.path.join(self.rng.choice(directories), b"file%d.txt" % i), content)
        return directories

    def _add_odd_names(self) -> None:
        odd = os.path.join(self.root, b"odd names \xff\n")
        os.mkdir(odd)
        names = [
            b"new\nline", b"tab\t", b"carriage\rreturn", b"\x1b[31mescape", b"100%", b"%41",
            b" space ", b"-rf", b"quote'\"`", b"back\\slash", b"*?[glob]", b"$(true)", b"\x7f",
            "ünïcödé 漢字 🦜".encode(), b"cut \xe2\x82", b"latin1 \xfc", b"overlong \xc0\xaf",
            b"surrogate \xed\xa0\x80", b"c1 \xc2\x9b", b"too large \xf4\x90\x80\x80",
            b"\xf0\x9f\xa6", b"x" * 255, b"\xff" * 255,
        ]  # fmt: skip
        for name in names:
            self._add(os.path.join(odd, name), b"the content of " + name)

    def _add_odd_contents(self) -> None:
        self._add(os.path.join(self.root, b"empty"), b"")
        self._add(os.path.join(self.root, b"no newline"), b"no newline at the end")
        block = self.rng.randbytes(1 << 20)
        self._add(os.path.join(self.root, b"large"), block * 8)
        # Words across the borders of any block size.
        self._add(os.path.join(self.root, b"one word"), b"w" * (3 << 20))
        self._add(os.path.join(self.root, b"many words"), b"abc  de\n" * (1 << 18))

    def _add_links(self, directory: bytes) -> None:
        target = os.path.join(self.root, b"no newline")
        to_file = os.path.join(self.root, b"link to a file")
        os.symlink(target, to_file)
        self.rows[encode(to_file)] = self.rows[encode(target)]
        # Not followed: neither a second way to the same files nor an endless one.
        os.symlink(directory, os.path.join(self.root, b"link to a directory"))
        os.symlink(b".", os.path.join(directory, b"loop"))

    def _add_unreadable(self) -> None:
        def dead(name: bytes, reason: str) -> bytes:
            path = os.path.join(self.root, name)
            self.dead[encode(path)] = reason
            return path

        os.symlink(b"nowhere", dead(b"dangling\nlink", "dangling link"))
        os.symlink(b"to itself", dead(b"to itself", "Too many levels of symbolic links"))
        os.mkfifo(dead(b"pipe", "a named pipe"))
        os.symlink(b"/dev/null", dead(b"device", "a character device"))
        # A regular file that nobody can read at its front, root neither.
        os.symlink(b"/proc/self/mem", dead(b"memory", "cannot read"))
        path = dead(b"socket", "a socket")
        here = os.open(".", os.O_RDONLY)
        os.chdir(os.path.dirname(path))  # The path of a socket must be short.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(b"socket")
        os.chdir(here)
        os.close(here)
        if os.geteuid() != 0:
            with open(dead(b"forbidden file", "Permission denied"), "wb") as file:
                os.fchmod(file.fileno(), 0)
            os.mkdir(dead(b"forbidden directory", "Permission denied"), 0)


class Index:
    """One database of the example."""

    def __init__(self, program: str, tree: Tree, database: Path) -> None:
        self.tree = tree
        self.database = database
        self.command = [program, "--dir", os.fsdecode(tree.root), "--db", str(database)]

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",  # Strict: what is printed must be UTF-8, whatever the file names.
        )

    def run(self, *options: str) -> tuple[int, str, str]:
        with self.start(*options) as process:
            out, err = process.communicate(timeout=RUN_TIMEOUT)
        return process.returncode, out, err

    def stop_after(self, delay: float, number: signal.Signals) -> tuple[int, str]:
        with self.start() as process:
            time.sleep(delay)
            process.send_signal(number)
            out, err = process.communicate(timeout=RUN_TIMEOUT)
        assert process.returncode in (0, -number, 128 + number), (process.returncode, err)
        return process.returncode, out

    def query(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(self.database, timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    def check_partial(self) -> int:
        """Checks the rows that are there after a kill, and gives their number."""
        if not self.query("SELECT 1 FROM sqlite_master WHERE name = 'file_index'"):
            return 0
        rows = self.query("SELECT path, size, lines, words, sha256 FROM file_index")
        for path, *row in rows:
            assert self.tree.rows[path] == tuple(row), f"{path}: {row}"
        return len(rows)

    def finish_and_check(self, *options: str) -> None:
        status, out, err = self.run(*options)
        assert status == 0, f"exit code {status}\n{out}\n{err}"
        assert self.check_partial() == len(self.tree.rows)

        assert "\r" not in out, "a progress bar, although stdout is no terminal"
        lines = out.splitlines()
        for path, reason in self.tree.dead.items():
            found = [line for line in lines if line.startswith(f"  {path}: ")]
            assert len(found) == 1, f"{path} is listed {len(found)} times\n{out}"
            assert reason in found[0], found[0]

        states = dict(self.query("SELECT state, count(*) FROM pgqrs_messages GROUP BY state"))
        expected = {"archived": len(self.tree.rows), "dead": len(self.tree.dead)}
        assert states == expected, f"each path must have one message: {states}, not {expected}"
        assert self.query("PRAGMA integrity_check") == [("ok",)]


def check_usage(index: Index) -> None:
    program = index.command[0]
    for arguments in (["--dir", "/does/not/exist"], ["--dir", "/dev/null"], ["--nonsense"]):
        result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10)
        assert result.returncode == 2, (arguments, result)
        assert result.stderr and not result.stdout, (arguments, result)


def kill_and_resume(index: Index, rng: random.Random, kills: int, delay: float) -> int:
    """Kills up to `kills` runs, and gives the number that had not finished before."""
    killed = 0
    for _ in range(kills):
        status, _ = index.stop_after(rng.uniform(0, delay), signal.SIGKILL)
        if status == 0:
            break
        killed += 1
        print(f"kill {killed}: {index.check_partial()} of {len(index.tree.rows)} files are there")
    return killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kills", type=int, default=8, help="how many runs to kill")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)

    with tempfile.TemporaryDirectory(prefix="pgqrs-demo-") as folder:
        tree = Tree(Path(folder).resolve() / "tree", rng)
        whole = Index(options.program, tree, Path(folder) / "whole.db")
        check_usage(whole)
        begin = time.monotonic()
        whole.finish_and_check()
        duration = time.monotonic() - begin
        print(f"{len(tree.rows)} files in {duration:.2f} s without a kill")

        # The moments of the kills are spread over one whole run, and more: a run that finishes in
        # time is followed by one from the beginning.
        wanted = options.kills
        killed = 0
        attempt = 0
        while killed < wanted:
            attempt += 1
            index = Index(options.program, tree, Path(folder) / f"killed{attempt}.db")
            killed += kill_and_resume(index, rng, wanted - killed, duration / 3)
            index.finish_and_check()
            if time.monotonic() - begin > ENOUGH_SECONDS:
                wanted = min(wanted, MIN_KILLS)
        print(f"{killed} kills in {attempt} indexes; each was complete in the end")

        status, out = index.stop_after(0, signal.SIGTERM)
        assert status in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        whole.finish_and_check("--fresh")


if __name__ == "__main__":
    main()
