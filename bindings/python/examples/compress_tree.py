"""Compresses every file of a folder, and writes a report, with the folder's queue in a file beside.

Kill it at any moment and run it again: it goes on where it was, and the report is made once.

Usage: compress_tree.py [FOLDER [TARGET]]

It prints:

    found 3 files
    compressed a.txt
    compressed b.txt
    compressed sub/c.txt
    3 files, 15000 bytes, less than 1000 compressed
"""

import asyncio
import gzip
import os
import sys
import tempfile
from pathlib import Path

import pgqrs


@pgqrs.step
async def find(run: pgqrs.Run, folder: str) -> list[list[str | int]]:
    """The files with their sizes."""
    root = Path(folder)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    print(f"found {len(files)} files")
    return [[str(path.relative_to(root)), path.stat().st_size] for path in files]


@pgqrs.step(retries=3)
async def compress(run: pgqrs.Run, source: str, target: str, name: str) -> int:
    """The compressed size. What it writes is the same each time, so it may run again."""
    packed = gzip.compress(Path(source, name).read_bytes(), mtime=0)
    path = Path(target, name + ".gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, packed)
    print(f"compressed {name}", flush=True)
    return len(packed)


@pgqrs.step
async def report(run: pgqrs.Run, target: str, lines: list[str]) -> None:
    replace(Path(target, "report.txt"), "\n".join(lines).encode() + b"\n")


def replace(path: Path, content: bytes) -> None:
    """The file is there as a whole, or as it was."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


@pgqrs.workflow(name="compress_tree")
async def compress_tree(run: pgqrs.Run, folders: dict[str, str]) -> list[int]:
    source, target = folders["source"], folders["target"]
    files = await find(run, source)
    sizes = [await compress(run, source, target, str(name)) for name, _ in files]
    lines = [
        f"{name}: {before} -> {after}" for (name, before), after in zip(files, sizes, strict=True)
    ]
    await report(run, target, lines)
    return [len(files), sum(int(before) for _, before in files), sum(sizes)]


async def main(source: str, target: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    # The store's limits for payloads are not for names of files.
    config = pgqrs.Config.unlimited(f"sqlite:{target}/queue.db")
    async with await pgqrs.connect_with(config) as store:
        run = await store.trigger(
            compress_tree, {"source": source, "target": target}, idempotency_key=source
        )
        async with pgqrs.WorkflowWorker(store, [compress_tree], lease=2):
            count, before, after = await run.result()
        limit = 1000 * (after // 1000 + 1)
        print(f"{count} files, {before} bytes, less than {limit} compressed")


def make_tree(folder: str) -> None:
    for name, text in (("a.txt", "tea\n"), ("b.txt", "cups\n"), ("sub/c.txt", "cakes\n")):
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text * 1000)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        arguments = sys.argv[1:]
        if len(arguments) < 2:  # Without folders of yours it makes some.
            make_tree(f"{scratch}/source")
            arguments = [f"{scratch}/source", f"{scratch}/target"]
        asyncio.run(main(*arguments))
