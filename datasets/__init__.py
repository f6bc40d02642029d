"""Feature files, folds and bags: everything between the disk and a batch."""
