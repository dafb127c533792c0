"""serve watcher|resolver|executor|site: what the images run."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def watcher() -> None:
    """Cluster → bus. Settings: CHEOPS_SITE, CHEOPS_NATS_URL, CHEOPS_KUBECONFIG …"""
    from services.watcher.__main__ import main

    raise typer.Exit(main())


@app.command()
def resolver() -> None:
    """Bus → verdicts. Settings: CHEOPS_SITE, CHEOPS_NATS_URL …"""
    from services.resolver.__main__ import main

    raise typer.Exit(main())


@app.command()
def executor() -> None:
    """Bus → cluster. Settings: CHEOPS_SITE, CHEOPS_NATS_URL, CHEOPS_KUBECONFIG …"""
    from services.executor.__main__ import main

    raise typer.Exit(main())


@app.command()
def site() -> None:
    """The three services of a site in one process."""
    from cheops.site import main

    raise typer.Exit(main())
