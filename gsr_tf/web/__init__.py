"""The web page and JSON API around a detector; needs the extra `web`."""
