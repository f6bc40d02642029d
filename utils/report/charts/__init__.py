"""Charts of the report: SVG as text, without colours."""
