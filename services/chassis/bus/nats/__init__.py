"""The bus on NATS JetStream: the only room that imports nats-py.

connection   a URL → one connection, or a sentence that says what to do
calls        one call of nats-py, bounded in time, with errors of ours
reading      durable pull readers         scanning   a stream, read through once
adapter      the port on one connection
"""

from services.chassis.bus.nats.adapter import NatsBus, connect

__all__ = ["NatsBus", "connect"]
