"""Sections of the report's pages."""
