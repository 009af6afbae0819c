"""A picture file's bytes to pixels: opened, held against what it may cost, decoded, reduced to 8 bits, turned."""
