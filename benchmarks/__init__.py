"""Speed and parity, printed as ratios and JSON."""
