"""sandbox cut|heal: make the link between a site and the others bad, and good again."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cheops.cli.failures import BadInputError
from cheops.cli.render.signs import signs_for

if TYPE_CHECKING:
    from cheops.sandbox.faults import Fault

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
RATES: Final = {"": 1.0, "k": 1e3, "M": 1e6}


class OneWay(StrEnum):
    """Which direction is lost, as the site sees it."""

    OUT = "out"
    IN = "in"


def fault_of(one_way: OneWay | None, black_hole: bool, latency: str, jitter: str, rate: str) -> Fault:
    """What was asked for; a whole cut when nothing else was. Raises BadInputError."""
    from cheops.sandbox.faults import Fault

    if one_way and black_hole:
        raise BadInputError("--one-way and --black-hole: expected one of them")
    slow = {"latency_s": _seconds("--latency", latency), "jitter_s": _seconds("--jitter", jitter)}
    thin = {"bytes_per_s": _bytes_per_s(rate)}
    swallowed = "both" if black_hole else one_way.value if one_way else ""
    nothing_else = not swallowed and not any((*slow.values(), *thin.values()))
    return Fault(cut=nothing_else, swallow=swallowed, **slow, **thin)  # type: ignore[arg-type]  # the three words of OneWay


def apply(directory: Path, sites: list[str], fault: Fault) -> list[dict[str, Any]]:
    """Tell the links of the sandbox that runs in `directory`; what they are now."""
    import asyncio  # here: every command's start would pay for it

    from cheops.sandbox.links import Links
    from cheops.sandbox.standing import running
    from schemas.identity import SiteName

    state = running(directory)
    if state is None or state["state"] != "running":
        raise BadInputError(f"no sandbox runs in {directory} (cheops sandbox up)")
    if not state["links"]:
        raise BadInputError("its sites share one nats-server: there is no link to cut (start it without --shared-bus)")
    unknown = sorted(set(sites) - set(state["sites"]))
    if unknown:
        raise BadInputError(f"no site is called {', '.join(unknown)} (there are {', '.join(state['sites'])})")
    links = Links(Path(state["links"]))

    async def tell() -> list[dict[str, Any]]:
        for site in sites or state["sites"]:
            await links.set(SiteName(site), fault)
        return await links.show()

    return asyncio.run(tell())


def lines(links: list[dict[str, Any]]) -> list[str]:
    """One a link, for people."""
    arrow = signs_for(False).arrow
    names = [f"{one['site']} {arrow} {one['there']}" for one in links]
    width = max(map(len, names), default=0)
    return [f"{name:<{width}}  {in_words(one['fault'])}" for name, one in zip(names, links, strict=True)]


def in_words(fault: dict[str, Any]) -> str:
    """`cut`, or `nothing of what it says arrives, 300 ms late`."""
    swallowed = {"": "", "both": "a black hole", "out": "what it says is lost", "in": "what it hears is lost"}
    words = [
        "cut" if fault["cut"] else "",
        swallowed[fault["swallow"]],
        f"{fault['latency_s'] * 1000:.0f} ms late" if fault["latency_s"] else "",
        f"± {fault['jitter_s'] * 1000:.0f} ms" if fault["jitter_s"] else "",
        f"{fault['bytes_per_s'] / 1000:g} kB/s" if fault["bytes_per_s"] else "",
    ]
    return ", ".join(word for word in words if word) or "good"


def _seconds(option: str, text: str) -> float:
    found = _DURATION.fullmatch(text) if text else None
    if text and found is None:
        raise BadInputError(f"{option} {text}: expected a duration, as 300ms or 1.5s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0


def _bytes_per_s(text: str) -> float:
    found = _RATE.fullmatch(text) if text else None
    if text and (found is None or float(found[1]) <= 0):
        raise BadInputError(f"--rate {text}: expected bytes a second, as 500, 64k or 1M")
    return float(found[1]) * RATES[found[2]] if found else 0.0
