"""The command line. Results on stdout, everything else on stderr.

A command's module imports only typer at its head: what the command needs is imported when it runs, so `--help` and
completion stay fast.
"""
