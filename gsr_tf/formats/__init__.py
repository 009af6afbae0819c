"""An exported detector's formats: written, read again, compared, described."""
