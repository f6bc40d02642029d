"""Pieces as jobs of Slurm: arrays of them, chained by dependencies, and watched from the login node."""
