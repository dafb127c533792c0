"""serve watcher|resolver|executor|site: what the images run."""

from __future__ import annotations

import typer

from cheops.cli.layout import Command, examples

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _example(service: str) -> str:
    return examples(f"CHEOPS_SITE=lyon CHEOPS_NATS_URL=nats://127.0.0.1:4222 cheops serve {service}")


@app.command(cls=Command, epilog=_example("watcher"))
def watcher() -> None:
    """Cluster → bus. Settings: CHEOPS_SITE, CHEOPS_NATS_URL, CHEOPS_KUBECONFIG …"""
    from services.watcher.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Command, epilog=_example("resolver"))
def resolver() -> None:
    """Bus → verdicts. Settings: CHEOPS_SITE, CHEOPS_NATS_URL …"""
    from services.resolver.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Command, epilog=_example("executor"))
def executor() -> None:
    """Bus → cluster. Settings: CHEOPS_SITE, CHEOPS_NATS_URL, CHEOPS_KUBECONFIG …"""
    from services.executor.__main__ import main

    raise typer.Exit(main())


@app.command(cls=Command, epilog=_example("site"))
def site() -> None:
    """The three services of a site in one process."""
    from cheops.site import main

    raise typer.Exit(main())
