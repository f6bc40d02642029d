"""One fold file: cases, checks, survival bins, stratification."""
