"""The frame of a report: one document, its markup, style and script."""
