"""Raw data sets, as published, to records."""
