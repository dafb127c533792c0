"""`cheops`, and `python -m cheops`. Importing the command line takes a moment, and Ctrl-C may fall into it."""

from __future__ import annotations

import sys
from typing import Final

EXIT_INTERRUPTED: Final = 130  # as cheops.cli.failures has it, which is among what is imported


def main() -> None:
    """Entry point of the program."""
    try:
        from cheops.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
