"""The pictures: SVG files that can be read on light and dark pages."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Document = dict[str, Any]

# Of a lightness that stands out from white as well as from black.
OURS = "#e0662a"
TEXT = "#808890"
OTHERS = ("#3b8fd4", "#3aa675", "#9b6bd6", "#c2a12b", "#d05b8e", "#5aa9b8", "#8a8f52", "#7f7fae")

mpl.rcParams.update(
    {
        "svg.hashsalt": "pgqrs",  # The same picture for the same figures.
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": TEXT,
        "axes.labelcolor": TEXT,
        "axes.edgecolor": TEXT,
        "xtick.color": TEXT,
        "ytick.color": TEXT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.transparent": True,
        "legend.frameon": False,
    }
)


def colors(peers: list[Document]) -> Iterator[str]:
    """A colour for each of them, ours always the same."""
    others = iter(OTHERS * 2)
    for peer in peers:
        yield OURS if peer["is_ours"] else next(others)


def scenario(document: Document, name: str, backend: str) -> Document | None:
    """A scenario of a backend, where it was run."""
    for each in document["scenarios"]:
        if each["name"] == name and each["backend"] == backend:
            return each  # type: ignore[no-any-return]
    return None


def measured(found: Document) -> list[Document]:
    """Who has a figure."""
    return [peer for peer in found["peers"] if peer["median"]]


def bars(document: Document, backend: str, name: str) -> Figure | None:
    """What everybody reaches in a scenario, the most first."""
    found = scenario(document, name, backend)
    if found is None:
        return None
    peers = sorted(measured(found), key=lambda peer: peer["median"])
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(peers) + 1.2))
    drawn = axes.barh(
        [peer["title"] for peer in peers],
        [peer["median"] for peer in peers],
        color=[OURS if peer["is_ours"] else OTHERS[0] for peer in peers],
    )
    axes.bar_label(drawn, labels=[f" {peer['median']:,.0f}" for peer in peers], color=TEXT)
    axes.set_title(f"{backend}: {found['title']}, messages a second", loc="left", color=TEXT)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.12)
    return figure


def lines(
    document: Document, backend: str, points: dict[float, str], title: str, label: str
) -> Figure | None:
    """What everybody reaches at each of several sizes."""
    found = {size: scenario(document, name, backend) for size, name in points.items()}
    by_peer: dict[str, list[tuple[float, float]]] = {}
    peers: dict[str, Document] = {}
    for size, each in found.items():
        for peer in measured(each) if each is not None else []:
            peers[peer["title"]] = peer
            by_peer.setdefault(peer["title"], []).append((size, peer["median"]))
    if not by_peer:
        return None
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for color, (name, values) in zip(colors(list(peers.values())), by_peer.items(), strict=True):
        axes.plot(*zip(*values, strict=True), marker="o", color=color, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    _finish(axes, f"{backend}: {title}", label, "messages a second")
    return figure


def latencies(document: Document, backend: str) -> Figure | None:
    """How large a part of the wake-ups took no longer than that."""
    found = scenario(document, "wake", backend)
    if found is None:
        return None
    figure, axes = plt.subplots(figsize=(8, 4.5))
    peers = measured(found)
    for color, peer in zip(colors(peers), peers, strict=True):
        values = sorted(value for figures in peer["rounds"] for value in figures["ms"])
        shares = [(i + 1) / len(values) for i in range(len(values))]
        axes.step([max(value, 0.01) for value in values], shares, color=color, label=peer["title"])
    axes.set_xscale("log")
    _finish(axes, f"{backend}: idle wake-up", "milliseconds from enqueue to handler", "share")
    return figure


def over_time(document: Document, backend: str, name: str) -> Figure | None:
    """How many messages were handled in each second."""
    found = scenario(document, name, backend)
    if found is None:
        return None
    figure, axes = plt.subplots(figsize=(8, 4.5))
    peers = measured(found)
    for color, peer in zip(colors(peers), peers, strict=True):
        series = peer["rounds"][-1]["series"]
        axes.plot(
            [each["second"] for each in series],
            [each["handled"] for each in series],
            color=color,
            label=peer["title"],
        )
    axes.set_yscale("symlog", linthresh=100)
    _finish(axes, f"{backend}: {found['title']}", "second", "messages handled")
    return figure


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", color=TEXT)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=TEXT, alpha=0.2)
    axes.legend(labelcolor=TEXT, fontsize=9)


def figures(document: Document) -> Iterator[tuple[str, Figure | None]]:
    """All pictures with their names."""
    callers = {float(n): f"enqueue-{n}" for n in (1, 4, 16, 64)}
    backlogs = {float(n): f"backlog-{n}" for n in (10_000, 100_000, 1_000_000)}
    for backend in document["backends"]:
        for name in ("drain", "drain-single", "enqueue-64", "steady", "steady-pinned"):
            yield f"{backend}-{name}", bars(document, backend, name)
        yield (
            f"{backend}-callers",
            lines(document, backend, callers, "enqueue one by one", "callers"),
        )
        yield (
            f"{backend}-backlog",
            lines(document, backend, backlogs, "drain", "messages in the queue"),
        )
        yield f"{backend}-wake", latencies(document, backend)
        for name in ("steady", "steady-pinned"):
            yield f"{backend}-{name}-time", over_time(document, backend, name)


def main() -> None:
    """Draws what a file of results holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="what scripts/bench-peers --json has written")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    document: Document = json.loads(arguments.results.read_text(encoding="utf-8"))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures(document):
        if figure is None:
            continue
        figure.savefig(
            arguments.folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None}
        )
        plt.close(figure)
        print(arguments.folder / f"{name}.svg")


if __name__ == "__main__":
    main()
