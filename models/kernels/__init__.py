"""How the models are fast and bounded in memory: row blocks, segments, similarity, dropout, layer norm."""
