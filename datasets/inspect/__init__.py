"""What feature files are: `python -m datasets.inspect PATH` describes a file or a folder, and names what is wrong."""
