"""The folder of a run, and each file in it that another stage reads."""
