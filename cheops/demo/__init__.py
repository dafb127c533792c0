"""The story that `make demo` plays, with real processes and real HTTP."""
