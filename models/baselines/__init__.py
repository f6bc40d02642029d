"""Models of other papers, one a file, and what only they need: graphs, instance loss."""
