"""`python -m cheops` is `cheops`."""

from cheops.cli.main import main

if __name__ == "__main__":
    main()
