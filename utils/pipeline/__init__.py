"""Where models, datasets and training meet: the parts of the two commands."""
