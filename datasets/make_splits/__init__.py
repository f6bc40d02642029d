"""From a table of labels to the folds of a data set."""
