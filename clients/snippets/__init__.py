"""Ready-to-run snippets for the people who call the API."""
