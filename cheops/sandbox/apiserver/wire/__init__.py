"""The other encoding that kubectl speaks: protobuf, read only."""
