"""The cases, a module for each kind; importing them fills `tests.input_errors.case.CASES` in the order of the page."""
