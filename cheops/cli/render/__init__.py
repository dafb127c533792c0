"""Values → text. Pure: what is printed is returned as lines."""
