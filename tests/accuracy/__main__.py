"""`make accuracy`: what the catalogue sees of what is there. A table per source, the figure last.

Golden objects: every reference-shaped path of the Kubernetes API. Links: the Services that online-boutique names in env
values. Labels: edges written by hand from manifests of public projects. What is absent on this machine is said.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from tests.accuracy.golden.measuring import Golden, measure
from tests.accuracy.golden.objects import corpora, golden_folder, golden_objects
from tests.accuracy.golden.openapi import served_objects
from tests.accuracy.labelled import measure_labels, service_links

LINKS = 16  # of online-boutique, counted in its manifests


def main() -> int:
    """Prints; 0 when every figure is as wanted."""
    good = [*_golden(), *_served(), *_links(), *_labels()]
    print(f"accuracy: {sum(good)} of {len(good)} sources as wanted")
    return 0 if all(good) and good else 1


def _golden() -> Iterator[bool]:
    folder = golden_folder()
    if folder is None:
        print("golden objects: absent (neither the corpora nor the Go module k8s.io/api is here)")
        return
    yield _say("golden objects, stable and beta", measure(golden_objects(folder), _extractor()))


def _served() -> Iterator[bool]:
    with tempfile.TemporaryDirectory() as directory:
        try:
            plane = ControlPlane("accuracy", Path(directory))
        except ControlPlaneMissingError as error:
            print(f"OpenAPI of a real API server: absent ({error})")
            return
        plane.start_sync()
        try:
            objects = list(served_objects(plane))
        finally:
            plane.stop_sync()
        yield _say(f"OpenAPI of a real API server, {len(objects)} kinds", measure(objects, _extractor()))


def _links() -> Iterator[bool]:
    folder = corpora()
    if folder is None:
        print("corpora: absent")
        return
    found = len(service_links(folder))
    print(f"online-boutique: {found} of {LINKS} service links")
    yield found == LINKS


def _labels() -> Iterator[bool]:
    folder = corpora()
    for one in measure_labels(folder) if folder is not None else ():
        size = len(one.right) + len(one.missed)
        print(f"{one.corpus}: {size} labelled edges, precision {one.precision:.3f}, recall {one.recall:.3f}")
        for title, edges in (("missed", one.missed), ("false", one.false)):
            print(*(f"  {title}: {edge}" for edge in edges), sep="\n", end="\n" if edges else "")
        yield min(one.precision, one.recall) >= 0.99


def _say(title: str, golden: Golden) -> bool:
    references = len(golden.seen) + len(golden.missed)
    excused = sum(map(len, golden.excused.values()))
    print(f"{title}: {len(golden.seen)} of {references} reference paths ({golden.share:.1%})")
    print(f"  {excused} paths look like references and are none, for {len(golden.excused)} reasons:")
    for reason, paths in sorted(golden.excused.items(), key=lambda row: -len(row[1])):
        print(f"    {len(paths):5}  {reason}")
    for path in golden.missed:
        print(f"  missed: {path}")
    return not golden.missed


def _extractor() -> Extractor:
    return Extractor(load_catalogue(), builtin_surface())


if __name__ == "__main__":
    sys.exit(main())
