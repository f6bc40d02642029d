"""Clustering, training, evaluation: one noun a file."""
