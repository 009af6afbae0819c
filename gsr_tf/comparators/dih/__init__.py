"""DIH: a network that fits a pasted region's colours to its surroundings (Tsai et al., CVPR 2017)."""
