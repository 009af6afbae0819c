"""GSR-Net (Zhou et al., AAAI 2020) in TensorFlow: generate, segment and refine manipulated pictures."""
