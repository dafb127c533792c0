"""What was typed after `cheops check` → sites, act, verdict, output, exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cheops.cli.check_since import judge_change, read_change
from cheops.cli.failures import EXIT_BY_DECISION, BadInputError
from cheops.cli.manifests import judged_documents
from cheops.cli.render.annotations import github, sarif
from cheops.cli.render.output import document, say
from cheops.cli.render.places import Manifests
from cheops.cli.render.signs import signs_for
from cheops.cli.render.verdict import render
from cheops.cli.scoping import latencies_of
from cheops.offline.check import Act, Court
from cheops.offline.rules import rule_sources
from cheops.offline.scoped import check
from cheops.offline.sites import Flaws, OfflineSite, load_site
from schemas.documents import Document
from schemas.identity import IdentityError, SiteName, site_name
from schemas.intents import Verb
from schemas.policy import load_policy
from schemas.relations.loader import Catalogue, load_catalogue
from schemas.relations.surface import BUILTIN_VERSION
from schemas.scope.parse import from_json
from schemas.scope.printing import print_scope
from schemas.verdicts import Verdict
from services.resolver.across.gone import told
from services.resolver.judge.policy import Policy
from services.resolver.uncollected import Uncollected

NOT_SINCE: Final = ("delete", "read", "verb", "namespace", "scope", "latency", "cascade")  # what --since says itself


@dataclass(frozen=True, slots=True)
class Request:
    """The options, as typed."""

    sites: tuple[str, ...]
    filenames: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    verb: Verb | None = None
    namespace: str = ""
    scope: str = ""
    latency: tuple[str, ...] = ()
    cascade: str = "none"
    bound_s: float = 10.0
    stale: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    kubernetes: str | None = None
    policy: str | None = None
    since: str = ""
    rules: tuple[Path, ...] = ()


def run(request: Request, output: str, ascii_only: bool) -> int:
    """Judge and print; returns the exit code. Raises BadInputError, DocumentError, IdentityError."""
    with Uncollected():  # what was read stays until the end, and walks over it took as long as reading it
        return (_run_since if request.since else _run)(request, output, ascii_only)


def _run(request: Request, output: str, ascii_only: bool) -> int:
    paths = _paths(request.sites)
    flaws = _flaws(request, list(paths))
    documents = judged_documents([Path(one) for one in request.filenames], request.namespace)
    act = _act(request, documents)
    policy = Policy(load_policy(Path(request.policy))) if request.policy else Policy()
    catalogue = load_catalogue(rule_sources(request.rules))
    sites = {name: _load(name, where, catalogue, flaws[name], request) for name, where in paths.items()}
    for site in sites.values():
        sys.stderr.writelines(f"cheops: warning: {line}\n" for line in site.warnings)
    court = Court(sites, catalogue, policy, datetime.now(UTC), _gone(request, sites))
    verdict = check(court, act, _scope_text(request.scope), latencies_of(request.latency, list(sites)))
    written = dict.fromkeys(sites, documents)
    _print(verdict, Manifests(written, {name: one.documents for name, one in sites.items()}), output, ascii_only)
    return EXIT_BY_DECISION[verdict.decision]


def _scope_text(scope: str) -> str:
    """A scope in JSON, as text: the same tree (scope.md)."""
    if not scope.lstrip().startswith("{"):
        return scope
    try:
        body = json.loads(scope)
    except ValueError as error:
        raise BadInputError(f"--scope: neither text nor JSON ({error})") from error
    return print_scope(from_json(body))


def _run_since(request: Request, output: str, ascii_only: bool) -> int:
    usual = Request(request.sites)
    unheard = [f"--{name}" for name in NOT_SINCE if getattr(request, name) != getattr(usual, name)]
    if request.filenames or unheard:
        given = " and ".join((*(["-f"] if request.filenames else []), *unheard))
        raise BadInputError(f"--since says what is to be judged, and where: without {given}")
    paths = _paths(request.sites)
    policy = Policy(load_policy(Path(request.policy))) if request.policy else Policy()
    court = Court({}, load_catalogue(rule_sources(request.rules)), policy, datetime.now(UTC))
    with _version_told():
        flaws = _flaws(request, list(paths))
        change = read_change(paths, request.since, flaws, court, request.kubernetes or BUILTIN_VERSION)
    sys.stderr.writelines(f"cheops: {line}\n" for line in (*change.beginning, *change.staying))
    verdict = judge_change(court, change, Act(bound_s=request.bound_s))
    if verdict is None:
        what = "nothing else" if change.staying else "nothing"
        sys.stderr.write(f"cheops: {what} changed since {request.since}\n")
        return 0
    verdict = told(verdict, (), _gone(request, paths))
    _print(verdict, change.manifests, output, ascii_only)
    return EXIT_BY_DECISION[verdict.decision]


def _load(name: SiteName, where: Sequence[Path], catalogue: Catalogue, flaws: Flaws, request: Request) -> OfflineSite:
    with _version_told():
        return load_site(name, where, catalogue, flaws, request.kubernetes or BUILTIN_VERSION)


@contextmanager
def _version_told() -> Iterator[None]:
    """A version of Kubernetes that nobody knows is bad input."""
    try:
        yield
    except ValueError as error:
        if isinstance(error, IdentityError) or "Kubernetes" not in str(error):
            raise
        raise BadInputError(f"--kubernetes: {error}") from error


def _paths(pairs: Iterable[str]) -> dict[SiteName, list[Path]]:
    paths: dict[SiteName, list[Path]] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not name or not equals or not path:
            raise BadInputError(f"--site {pair}: expected NAME=PATH, for example lyon=clusters/lyon")
        paths.setdefault(site_name(name), []).append(Path(path))
    return paths


def _flaws(request: Request, names: Sequence[SiteName]) -> dict[SiteName, Flaws]:
    blind: dict[str, list[str]] = {}
    for pair in request.blind:
        name, equals, kinds = pair.partition("=")
        if not equals or not kinds:
            raise BadInputError(f"--blind {pair}: expected SITE=RESOURCES, for example oslo=secrets")
        blind.setdefault(name, []).extend(one for one in kinds.split(",") if one)
    given = (("--stale", request.stale), ("--unreachable", request.unreachable), ("--blind", tuple(blind)))
    for option, chosen in given:
        for one in chosen:
            if one not in names:
                raise BadInputError(f"{option} {one}: no such site (there are {', '.join(names)})")
    return {
        name: Flaws(name in request.stale, name in request.unreachable, tuple(blind.get(name, ()))) for name in names
    }


def _gone(request: Request, given: Container[SiteName]) -> frozenset[SiteName]:
    """By commas, too, as resolvers are told (CHEOPS_GONE)."""
    names = [site_name(one.strip()) for words in request.gone for one in words.split(",") if one.strip()]
    for one in names:
        if one in given:
            raise BadInputError(f"--gone {one}: its manifests are given (--site {one}=…)")
    return frozenset(names)


def _act(request: Request, documents: Sequence[Document]) -> Act:
    given = [
        name
        for name, value in (("-f", request.filenames), ("--delete", request.delete), ("--read", request.read))
        if value
    ]
    if len(given) != 1:
        what = f"{' and '.join(given)} together" if given else "nothing to judge"
        raise BadInputError(f"{what}: expected one of -f PATH, --delete KIND/NAME, --read KIND/NAME")
    if request.cascade not in ("none", "dependents"):
        raise BadInputError(f"--cascade {request.cascade}: expected none or dependents")
    verb: Verb | None = "delete" if request.delete else "read" if request.read else request.verb
    if request.verb and request.verb != verb:
        raise BadInputError(f"--verb {request.verb} with {given[0]}: expected {verb}, or no --verb")
    for one in (*request.delete, *request.read):
        if "/" not in one:
            raise BadInputError(f"{one}: expected KIND/NAME, for example secret/edge-ca")
    return Act(
        verb=verb,
        manifests=tuple(one.body for one in documents),
        resources=(*request.delete, *request.read),
        namespace=request.namespace,
        cascade="dependents" if request.cascade == "dependents" else "none",
        bound_s=request.bound_s,
    )


def _print(verdict: Verdict, manifests: Manifests, output: str, ascii_only: bool) -> None:
    if output == "github":
        say(github(verdict, manifests))
    elif output == "sarif":
        document(sarif(verdict, manifests), "json")
    elif output == "text":
        say(render(verdict, signs_for(ascii_only)))
    else:
        body: dict[str, Any] = verdict.model_dump(mode="json", by_alias=True)
        document(body, output)
