"""Pictures of a search, drawn for the page."""
