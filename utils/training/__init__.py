"""Epochs, optimizers, early stopping, checkpoints."""
