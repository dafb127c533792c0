"""serve watcher|resolver|executor|site: what the images run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from cheops.cli.layout import Command, Families, columns, examples

if TYPE_CHECKING:
    from services.chassis.settings import ServiceSettings


class Service(Command):
    """A page that names every setting: a service takes environment variables only."""

    def blocks(self, ctx: Any) -> Iterable[list[str]]:
        from services.chassis.settings import described

        yield from super().blocks(ctx)
        rows = dict(row for model in _models(str(self.name)) for row in described(model))
        yield ["Settings (environment variables):", *columns([*rows.items()])]


def _models(service: str) -> list[type[ServiceSettings]]:
    """Whose settings a service reads; imported only where a page is asked for."""
    from services.executor.__main__ import ExecutorSettings
    from services.resolver.__main__ import ResolverSettings
    from services.watcher.__main__ import WatcherSettings

    models: dict[str, type[ServiceSettings]] = {
        "watcher": WatcherSettings,
        "resolver": ResolverSettings,
        "executor": ExecutorSettings,
    }
    return [models[service]] if service in models else [*models.values()]


app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None)


def _example(service: str) -> str:
    return examples(f"CHEOPS_SITE=lyon CHEOPS_NATS_URL=nats://127.0.0.1:4222 cheops serve {service}")


@app.command(cls=Service, epilog=_example("watcher"))
def watcher() -> None:
    """Cluster → bus."""
    from services.watcher.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Service, epilog=_example("resolver"))
def resolver() -> None:
    """Bus → verdicts."""
    from services.resolver.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Service, epilog=_example("executor"))
def executor() -> None:
    """Bus → cluster."""
    from services.executor.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Service, epilog=_example("site"))
def site() -> None:
    """The three services of a site in one process."""
    from cheops.site import main

    raise typer.Exit(main())
