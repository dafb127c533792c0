"""`python -m tests.bench.scale [--sites 10,1000] [--out docs/scale.md]`: many sites in one process, measured.

latency of verdicts in round trips, letters, bytes and CPU time of an intent by its span; CPU time of an intent, memory
and idle time of a site by the number of sites. Each number of sites runs in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.relations.loader import load_catalogue
from tests.bench import history
from tests.bench.many_sites import ManySites, Story
from tests.bench.measuring import percentile

RESOURCES: Final = 1_000
SPANS: Final = (1, 2, 3, 5, 10, 20, 50)  # sites in scope; 1: another one than the entry site
INTENTS_A_SECOND: Final = 100
SECONDS: Final = 5
NAMESPACE: Final = "team-00000"
COMPARED_SPANS: Final = (1, 5)
MEGABYTE: Final = 1e6
Figures = dict[str, Any]


def main() -> int:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--sites", default="10,100,1000", help="numbers of sites, growing")
    parser.add_argument("--resources", type=int, default=RESOURCES, help="of each site")
    parser.add_argument("--out", type=Path, help="the page to write the figures into")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(chosen.child, chosen.resources)))
        return 0
    columns = {}
    for number in map(int, chosen.sites.split(",")):
        command = [
            sys.executable,
            "-m",
            "tests.bench.scale",
            "--child",
            str(number),
            "--resources",
            str(chosen.resources),
        ]
        columns[number] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(f"{number} sites measured", file=sys.stderr)
    text = tables(columns)
    print(text)
    if chosen.out:
        head, mark, _ = chosen.out.read_text().partition("<!-- figures -->\n")
        chosen.out.write_text(f"{head}{mark}{text}")
    return 0


def measure(number: int, resources: int) -> Figures:
    """All figures of a mesh of so many sites."""
    facts, catalogue = list(history.facts(resources)), load_catalogue()
    before, begin_s = resident(), time.thread_time()
    mesh = ManySites(number, facts, catalogue)
    made_s = time.thread_time() - begin_s
    memory = (resident() - before) / number
    count = next(iter(mesh.sites.values())).machine.graph.resource_count
    compared = [span for span in COMPARED_SPANS if span < number]
    wide = [span for span in SPANS if span <= number] if number >= max(SPANS) else compared
    play(mesh, compared, "same")
    play(mesh, wide, "wide")
    letters_left = sum(story.decision == "" for story in mesh.stories.values())
    return {
        "resources": count,
        "memory": memory,
        "memory_after": (resident() - before) / number,
        "made_cpu_s": made_s / number,
        "idle_cpu_s": mesh.idle_cpu_s["cpu"] / mesh.idle_cpu_s["seconds"] / number,
        "decisions": dict(Counter(story.decision for story in mesh.stories.values())),
        "undecided": letters_left,
        "same": by_span(mesh.stories, "same"),
        "wide": by_span(mesh.stories, "wide"),
        "load_average": os.getloadavg()[0],
    }


def play(mesh: ManySites, spans: Sequence[int], label: str) -> None:
    """`INTENTS_A_SECOND` for `SECONDS`, evenly over the spans, entered anywhere; then everything comes to its end."""
    chance = random.Random(5)
    begin_s = mesh.now_s
    for place in range(INTENTS_A_SECOND * SECONDS):
        span = spans[place % len(spans)]
        names = chance.sample(mesh.names, max(2, span))
        entry, scope = names[0], names[1:] if span == 1 else names
        intent_id = f"{label}-{span}-{place}"
        when_s = begin_s + place / INTENTS_A_SECOND
        mesh.at(when_s, lambda a=entry, b=scope, c=intent_id: enter(mesh, a, b, c))  # type: ignore[misc]
    for second in range(SECONDS + 3):
        mesh.at(begin_s + second, mesh.a_second_passes)
    mesh.run(begin_s + SECONDS + 3)


def enter(mesh: ManySites, entry: SiteName, scope: Sequence[SiteName], intent_id: str) -> None:
    """The same new ConfigMap at every site in scope."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": intent_id, "namespace": NAMESPACE}}
    intent = Intent(
        id=intent_id,
        site=entry,
        verb="create",
        scope=" & ".join(scope),
        manifests=(body,),
        created_at=mesh.moment.wall,
        expires_at=mesh.moment.wall + timedelta(hours=1),
    )
    mesh.enter(entry, [name for name in scope if name != entry], intent)


def by_span(stories: Mapping[str, Story], label: str) -> dict[str, Figures]:
    """Figures of the allowed intents of each span."""
    found: dict[str, list[Story]] = {}
    for intent_id, story in stories.items():
        kind, span, _ = intent_id.split("-")
        if kind == label and story.decision == "allow":
            found.setdefault(span, []).append(story)
    return {span: summary(mine) for span, mine in sorted(found.items(), key=lambda row: int(row[0]))}


def summary(stories: Sequence[Story]) -> Figures:
    """Of intents of one span."""
    verdict = [(one.verdict_s - one.entered_s) / one.round_trip_s for one in stories]
    effects = [(one.remote_effect_s - one.entered_s) / one.round_trip_s for one in stories]
    return {
        "intents": len(stories),
        "verdict": [statistics.median(verdict), percentile(verdict, 0.99)],
        "effect": [statistics.median(effects), percentile(effects, 0.99)],
        "letters": statistics.mean(one.letters.total() for one in stories),
        "kinds": {what: sum(one.letters[what] for one in stories) / len(stories) for what in kinds_of(stories)},
        "bytes": statistics.mean(one.bytes for one in stories),
        "cpu_ms": 1e3 * statistics.median(one.cpu_s for one in stories),
    }


def kinds_of(stories: Iterable[Story]) -> list[str]:
    """Of letters that were told."""
    return sorted({what for one in stories for what in one.letters})


def resident() -> float:
    """Bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ── written down ────────────────────────────────────────────────────────────────────────────────────────────────────


def tables(columns: Mapping[int, Figures]) -> str:
    """Markdown."""
    largest = columns[max(columns)]
    load = ", ".join(f"{one['load_average']:.1f}" for one in columns.values())
    where = f"{os.cpu_count()} virtual cores, {platform.system()}, Python {platform.python_version()}"
    rows = [
        f"\n{where}; load average {load}.",
        f"\nBy the span of an intent, {max(columns):,} sites × {largest['resources']:,} resources, "
        f"{INTENTS_A_SECOND} intents/s of virtual time:\n",
        "| sites in scope | intents | verdict, round trips, p50 / p99 | last effect | letters | kB | CPU ms, p50 |",
        "|---|---|---|---|---|---|---|",
    ]
    for span, one in largest["wide"].items():
        verdict, effect = (f"{row[0]:.2f} / {row[1]:.2f}" for row in (one["verdict"], one["effect"]))
        name = "1, another one" if span == "1" else span
        size, cpu = one["bytes"] / 1e3, one["cpu_ms"]
        rows.append(
            f"| {name} | {one['intents']} | {verdict} | {effect} | {one['letters']:.1f} | {size:.1f} | {cpu:.1f} |"
        )
    rows += ["\nBy the number of sites:\n", f"| measured | {' | '.join(f'{number:,}' for number in columns)} |"]
    rows.append("|---" * (len(columns) + 1) + "|")
    for span in largest["same"]:
        what = "an intent at another site" if span == "1" else f"an intent at {span} sites"
        rows.append(row_of(f"CPU of {what}, ms", [f"{one['same'][span]['cpu_ms']:.2f}" for one in columns.values()]))
        rows.append(row_of(f"letters of {what}", [f"{one['same'][span]['letters']:.1f}" for one in columns.values()]))
    rows.append(row_of("CPU of an idle site, ms/s", [f"{1e3 * one['idle_cpu_s']:.2f}" for one in columns.values()]))
    rows.append(row_of("memory of a site, MB", [f"{one['memory'] / MEGABYTE:.2f}" for one in columns.values()]))
    after = [f"{one['memory_after'] / MEGABYTE:.2f}" for one in columns.values()]
    rows.append(row_of("the same after all intents", after))
    rows.append(row_of("verdicts", [shown(one["decisions"]) for one in columns.values()]))
    kinds = ", ".join(f"{what} {number:.1f}" for what, number in largest["wide"]["5"]["kinds"].items())
    return "\n".join([*rows, f"\nLetters of an intent at 5 sites: {kinds}.\n"])


def row_of(what: str, cells: Sequence[str]) -> str:
    """One line."""
    return f"| {what} | {' | '.join(cells)} |"


def shown(decisions: Mapping[str, int]) -> str:
    """How many of each."""
    return ", ".join(f"{number} {what or 'none'}" for what, number in sorted(decisions.items()))


if __name__ == "__main__":
    sys.exit(main())
