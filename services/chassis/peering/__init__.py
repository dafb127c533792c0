"""What a site has to do with its peers, whoever decides what is said: letters that must not be lost, and heartbeats.

letter     one message to a peer's resolver           backlog   what waits for one peer, counted       (pure)
courier    letters → OUTBOX → a carrier per peer      carrier   OUTBOX → one peer's INBOX, in order
parcel     letters that go in one round trip, and are stored one by one at the other end
inbox      INBOX → checked letters → a handler        contacts  who is heard, how far away             (pure)
pulse      a question a second to each peer     liaison   all of it, put together
"""
