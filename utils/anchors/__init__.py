"""Anchors: k-means, anchor files, the anchors of a fold, the scale of features."""
