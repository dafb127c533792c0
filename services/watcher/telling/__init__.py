from schemas.compiled import path_of

__path__ = path_of(__name__, __path__)
