"""What the embedded API server says it is."""

from __future__ import annotations

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3+cheops",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "any/any",
}
