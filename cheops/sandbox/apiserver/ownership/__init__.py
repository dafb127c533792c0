"""Who owns which field: managedFields, and server-side apply, which lives on it."""
