"""The command line: options, settings, terminal."""
