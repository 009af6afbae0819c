"""Files as people have them -> entries: found, paired, listed, decoded."""
