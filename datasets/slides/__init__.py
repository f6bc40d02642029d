"""One slide on disk: formats, checks, fingerprints, geometry, cache."""
