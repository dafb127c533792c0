"""The relationship model: rules as data, compiled once, and one pass from an object to its state.

catalogue = load_catalogue(extra=[Path("mine.yaml")])     # loader.py; RuleError(file, line, reason)
extractor = Extractor(catalogue, surface)                 # extract.py; surface: schemas.kinds.Surface of the site
state = extractor.state(manifest)                         # dict → events.ResourceState, without values
key = extractor.key(manifest)                             # dict → identity.ResourceKey (scope and group checked)
surface = builtin_surface("1.36")                         # surface.py; the built-in kinds, for offline use
ambient = ambient_resources(catalogue)                    # ambient.py; what exists in every cluster
matches(label_selector, labels)                           # selector.py; every operator
selects(selector, state)                                  # selector.py; labels, pods of workloads, defaults of a kind
granted(reference, source, target, givers, labels)        # grants.py; has a reference the permission that it needs?
records(states)                                           # edges.py; what `cheops relations -o json` prints
"""

from schemas.compiled import path_of

__path__ = path_of(__name__, __path__)
