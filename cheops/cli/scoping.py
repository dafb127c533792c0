"""scope: read a scope and say what it means, before anything is asked of a mesh. No server is asked.

text ──▶ schemas.scope ──▶ its sites (known?), what `all` and `around` come to, words
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cheops.cli.layout import Command, Families, examples
from cheops.cli.options import Output, OutputOption, scope_text

if TYPE_CHECKING:
    from schemas.identity import SiteName
    from schemas.scope.sites import Latencies
    from schemas.scope.tree import Location, Scope

app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None)
TextArgument = Annotated[
    str, typer.Argument(help="The scope, as --scope takes it.", metavar="TEXT", autocompletion=scope_text)
]
SitesOption = Annotated[
    str, typer.Option("--sites", help="The sites that are known.", metavar="NAME,NAME", autocompletion=scope_text)
]
LatencyOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--latency", help="A round-trip time, for around.", metavar="NAME:NAME=8ms"),
]
CHECKS = examples(
    'cheops scope check "lyon & oslo" --sites lyon,oslo,nice',
    'cheops scope check "around(lyon, 10ms)" --latency lyon:oslo=8ms',
)
EXPLANATIONS = examples('cheops scope explain "deployment: lyon & oslo, secret: oslo"')


@app.callback()
def scopes() -> None:
    """A scope says where each part of an intent happens; lyon & oslo, lyon % oslo, lyon ; oslo are some."""


@app.command(cls=Command, epilog=CHECKS)
def check(
    text: TextArgument, sites: SitesOption = "", latency: LatencyOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Say whether a scope is good, and what it comes to. Exits 2 and shows the place when it is not."""
    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for

    body = _read(text, sites, latency or [], output)
    if output is Output.TEXT:
        say([f"good: {body['scope']}"])
        arrow = signs_for(False).arrow
        say(f"  {selector} {arrow} {location}" for selector, location in body["folded"].items())


@app.command(cls=Command, epilog=EXPLANATIONS)
def explain(
    text: TextArgument, sites: SitesOption = "", latency: LatencyOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Say in plain words what would happen where. Exits 2 and shows the place when the scope is not good."""
    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for

    body = _read(text, sites, latency or [], output)
    if output is Output.TEXT:
        signs = signs_for(False)
        say(line for words in body["words"] for line in signs.wrapped(words, "  "))


def _read(text: str, sites: str, latency: list[str], output: Output) -> dict[str, Any]:
    """What is known about a scope; printed, too, as a document where one is wanted, with what is wrong with it."""
    from cheops.cli.render.output import document
    from schemas.scope.errors import ScopeError

    try:
        body = _described(text, sites, latency)
    except ScopeError as error:
        body = {"schema": "scope/v1", "good": False, "code": error.code, "message": error.message}
        body |= {"column": error.column, "expected": list(error.expected), "near": list(error.near)}
        if output is not Output.TEXT:
            document(body, output)
        raise
    if output is not Output.TEXT:
        document(body, output)
    return body


def _described(text: str, sites: str, latency: list[str]) -> dict[str, Any]:
    from schemas.identity import site_name
    from schemas.relations.surface import builtin_surface
    from schemas.scope.offered import check_offered
    from schemas.scope.parse import parse_scope
    from schemas.scope.printing import print_scope, to_json
    from schemas.scope.sites import site_names
    from schemas.scope.words import explain as in_words

    scope = parse_scope(text)
    check_offered(scope, text)
    known = [site_name(name.strip()) for name in sites.split(",") if name.strip()]
    latencies = latencies_of(latency, known)
    if known:
        _check_known(text, scope, known)
    return {
        "schema": "scope/v1",
        "good": True,
        "scope": print_scope(scope),
        "parts": to_json(scope),
        "sites": site_names(scope),
        "folded": _folded(scope, known, latencies),
        "words": in_words(scope, builtin_surface()),
    }


def _check_known(text: str, scope: Scope, known: list[SiteName]) -> None:
    from schemas.scope.errors import ScopeError
    from schemas.scope.parse import site_columns
    from schemas.scope.sites import check_sites

    for unknown in check_sites(scope, known):
        hint = "" if unknown.near else f" (known: {', '.join(known)})"
        message, column = f"no site is called {unknown.name!r}{hint}", site_columns(text)[unknown.name]
        raise ScopeError(message, column, near=unknown.near, text=text, code="D601")


def _folded(scope: Scope, known: list[SiteName], latencies: Latencies) -> dict[str, str]:
    """Selector → sites, for each part whose `all` and `around` can be told from what was given."""
    from schemas.scope.printing import print_location, print_selector
    from schemas.scope.sites import fold
    from schemas.scope.tree import UNSELECTED, All, Around, leaves

    def told(location: Location) -> bool:
        kinds = {type(leaf) for leaf in leaves(location)} & {All, Around}
        return bool(kinds) and (bool(known) or All not in kinds) and (bool(latencies) or Around not in kinds)

    everyone = list(dict.fromkeys(known or [name for pair in latencies for name in pair]))
    return {
        print_selector(part.selector) or UNSELECTED: print_location(
            fold(part.location, everyone, latencies, everyone[0])
        )
        for part in scope.parts
        if told(part.location)
    }


def latencies_of(given: Sequence[str], known: Sequence[SiteName]) -> Latencies:
    """`lyon:oslo=8ms` → seconds."""
    from cheops.cli.failures import BadInputError
    from schemas.identity import site_name
    from schemas.scope.durations import parse_duration

    found: dict[tuple[SiteName, SiteName], float] = {}
    for one in given:
        pair, _, duration = one.partition("=")
        left, colon, right = pair.partition(":")
        if not colon or not duration:
            raise BadInputError(f"--latency {one!r}: expected NAME:NAME=DURATION, as in lyon:oslo=8ms")
        try:
            names = site_name(left), site_name(right)
            found[names] = parse_duration(duration)
        except ValueError as error:
            raise BadInputError(f"--latency {one!r}: {error}") from error
        strangers = [name for name in names if known and name not in known]
        if strangers:
            raise BadInputError(f"--latency {one!r}: no site is called {strangers[0]}")
    return found
