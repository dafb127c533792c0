"""rules: files of rules that somebody wrote for the relationship model, checked and tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cheops.cli.layout import Command, Families, examples

app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None, help="Files of relationship rules.")
Files = Annotated[
    list[Path], typer.Argument(help="Rule files, or manifests of ConfigMaps that hold some.", metavar="FILE")
]


@app.command(cls=Command, epilog=examples("cheops rules check mine.yaml"))
def check(files: Files) -> None:
    """Check rule files: form, paths, names, and whether they stand beside the shipped rules."""
    from cheops.cli.render.output import say
    from cheops.offline.rules import rule_sources
    from schemas.counting import counted
    from schemas.relations.examples import examples_of, rules_of
    from schemas.relations.loader import load_catalogue

    sources = rule_sources(files)
    load_catalogue(sources)
    for file in sources:
        rules, shown = set(rules_of(file)), [rule for rule, _ in examples_of(file)]
        bare = counted(len(rules - set(shown)), "rule")
        say([f"{file}: {counted(len(rules), 'rule')}, {counted(len(shown), 'example')}; {bare} without one"])


@app.command(cls=Command, epilog=examples("cheops rules test mine.yaml"))
def test(files: Files) -> int:
    """Run the examples that rule files carry; exit code 1 when one does not hold. A file without any is named."""
    import sys

    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for
    from cheops.offline.rules import rule_sources
    from schemas.counting import counted
    from schemas.relations.examples import compared, examples_of
    from schemas.relations.extract import Extractor
    from schemas.relations.loader import load_catalogue
    from schemas.relations.surface import builtin_surface

    sources = rule_sources(files)
    extractor = Extractor(load_catalogue(sources), builtin_surface())
    for file in sources:
        if not any(examples_of(file)):
            sys.stderr.write(f"cheops: {file}: carries no examples\n")
    rows = list(compared(sources, extractor))
    bad = [(file, rule, wrong) for file, rule, wrong in rows if wrong]
    deny = signs_for(False).deny
    say(f"{deny} {file}: {rule}: {one}" for file, rule, wrong in bad for one in wrong)
    if rows:
        holds = "holds" if len(rows) == 1 else "hold"
        say([f"{len(rows) - len(bad)} of {counted(len(rows), 'example')} {holds}"])
    return 1 if bad else 0
