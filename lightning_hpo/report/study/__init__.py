"""The report of one study: one file a section."""
