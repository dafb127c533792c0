"""Words that cross the bus: messages, identities, subjects, codes, and the relationship model. No I/O here."""
