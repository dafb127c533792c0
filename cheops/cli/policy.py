"""policy: files that say how strict a number is."""

from __future__ import annotations

from typing import Annotated

import typer

from cheops.cli.layout import Command, Families, examples

app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def policies() -> None:
    """A service takes one by CHEOPS_POLICY, `cheops check` by --policy; docs/schema/policy.json is its schema."""


@app.command("check", cls=Command, epilog=examples("cheops policy check policy.yaml"))
def check(filename: Annotated[str, typer.Argument(help="The policy file.", metavar="FILE")]) -> None:
    """Say whether a policy file is good, what it changes, and which of its rules never get their turn.

    Exits 2 with file, line and field when it is not.
    """
    from pathlib import Path

    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for
    from schemas.codes import find
    from schemas.counting import counted
    from schemas.policy import PolicyRule, load_policy
    from services.resolver.judge.policy import Policy

    arrow = signs_for(False).arrow

    def line(rule: PolicyRule) -> str:
        known = find(rule.code)
        title = f" {known.title}" if known else ""
        where = [f"relation {rule.relation}" if rule.relation else ""]
        where += [
            f"{name} {', '.join(found)}"
            for name, found in (("sites", rule.sites), ("namespaces", rule.namespaces))
            if found
        ]
        where += [f"label {name}={value}" for name, value in rule.labels.items()]
        given = "; ".join(part for part in where if part) or "everywhere"
        return f"  {rule.code}{title} {arrow} {rule.set}   ({given})" + (f"   # {rule.reason}" if rule.reason else "")

    file = load_policy(Path(filename))
    say([f"{filename}: good, {counted(len(file.rules), 'rule')}, digest {Policy(file).digest}"])
    shadowed = dict(file.shadowed())
    for place, rule in enumerate(file.rules):
        say([line(rule)])
        if place in shadowed:
            say([f"      never used: rules.{shadowed[place]} comes first and fits all that rules.{place} fits"])
    say([f"  may override: {', '.join(file.overriders) or 'nobody'}"])
