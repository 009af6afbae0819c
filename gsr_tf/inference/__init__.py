"""From a picture to a probability map."""
