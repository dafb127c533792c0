"""What Tab offers: sites of the context file; kinds and names that the site's resolver knows.

A Tab must not wait and must not fail: a short time, then silence.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any, Final

from cheops.contexts import load_context
from schemas.identity import IdentityError, ResourceKey, SiteName
from schemas.queries import NamesAnswer
from services.chassis.errors import CheopsError, SettingsError

PATIENCE_S: Final = 1.5
_BEHIND_EQUALS: Final = re.compile(r"\s(--[a-z-]+=)\S*$")
# Where each that is offered begins, in what typer says to the shell.
_FIRST: Final = {
    "complete_fish": re.compile(r"^(?=.)", re.MULTILINE),
    "complete_zsh": re.compile(r'(?:^|\(\()"', re.MULTILINE),
}


def sites(incomplete: str) -> list[str]:
    """No server is asked."""
    try:
        return [name for name in load_context().sites if name.startswith(incomplete)]
    except SettingsError:
        return []


def behind_equals(typed: MutableMapping[str, str]) -> None:
    """bash takes `--site=o` apart, too: the sign is a word of its own, and typer would take it for the value."""
    words, place = typed.get("COMP_WORDS", "").split("\n"), typed.get("COMP_CWORD", "")
    if not place.isdigit():
        return
    signs = [at for at in range(1, len(words)) if words[at] == "=" and words[at - 1].startswith("-")]
    typed["COMP_WORDS"] = "\n".join(word for at, word in enumerate(words) if at not in signs or at == int(place))
    typed["COMP_CWORD"] = str(int(place) - sum(at < int(place) for at in signs))


@contextmanager
def whole_words(typed: Mapping[str, str]) -> Iterator[None]:
    """zsh and fish put what is offered in place of all of `--site=o`: then each begins with `--site=`, too."""
    first = _FIRST.get(typed.get("_CHEOPS_COMPLETE", ""))
    option = _BEHIND_EQUALS.search(typed.get("_TYPER_COMPLETE_ARGS", ""))
    if first is None or option is None:
        yield
        return
    offered = StringIO()
    try:
        with redirect_stdout(offered):
            yield
    finally:
        sys.stdout.write(first.sub(rf"\g<0>{option[1]}", offered.getvalue()))


def scope_text(incomplete: str) -> list[str]:
    """`lyon & os` → `lyon & oslo`: the site that is being typed at the end of a scope or a list of sites."""
    head = re.sub(r"[A-Za-z0-9_-]*$", "", incomplete)
    return [head + name for name in sites(incomplete[len(head) :])]


def names(given: Mapping[str, Any], incomplete: str) -> list[str]:
    """`sec` → kinds; `secret/` → its names; when one kind is left, its names as well (it may have none here).

    `given` holds the options before the cursor: site, namespace, server, and the words of the argument so far.
    """
    typed = [one for one in given.get("resource") or given.get("resources") or () if one]
    *words, whole = _with_colons(typed, incomplete)
    return [one[len(whole) - len(incomplete) :] for one in _offered(given, words, whole)]


def _with_colons(words: list[str], incomplete: str) -> list[str]:
    """bash takes `clusterrole/system:node` apart at the colon, which is a word of its own then."""
    return re.sub(r"\n?:\n?", ":", "\n".join((*words, incomplete))).split("\n")


def _offered(given: Mapping[str, Any], words: list[str], incomplete: str) -> list[str]:
    kind, slash, start = incomplete.partition("/")
    if not slash and words and "/" not in words[0]:  # `secret edge-ca`
        return [one.rpartition("/")[2] for one in _named(given, words[0], incomplete)]
    if slash:
        return _named(given, kind, start)
    kinds = sorted(one for one in _ask(given).kinds if one.startswith(incomplete))
    return [*kinds, *_named(given, kinds[0], "")] if len(kinds) == 1 else kinds


def _named(given: Mapping[str, Any], kind: str, start: str) -> list[str]:
    found = (ResourceKey.parse(one).name for one in _ask(given, kind, start).resources)
    return [f"{kind}/{name}" for name in found]


def _ask(given: Mapping[str, Any], kind: str = "", start: str = "") -> NamesAnswer:
    try:
        return asyncio.run(asyncio.wait_for(_answer(given, kind, start), PATIENCE_S))
    except (CheopsError, IdentityError, TimeoutError, OSError):
        return NamesAnswer(site=SiteName(""))


async def _answer(given: Mapping[str, Any], kind: str, start: str) -> NamesAnswer:
    from cheops.mesh import connect
    from services.chassis import logs

    logs.configure("error", cached=False)
    async with connect(given.get("server"), site=given.get("site")) as mesh:
        return await mesh.names(kind, prefix=start, namespace=given.get("namespace") or "")
