"""The scope language: where each part of an intent happens. Pure.

tree = parse.parse_scope("deployment: lyon & oslo, secret: oslo")  # or parse.from_json({"secret": "oslo"})
unknown = sites.check_sites(tree, known)
where = sites.fold(tree.parts[0].location, known, latencies, entry)  # `all` and `around` become sites
printing.print_scope(tree)                                          # the one way to write it
words.explain(tree)                                                 # in plain words

What is wrong with a text is a ScopeError, which shows the place.
"""
