"""The three networks of GSR-Net and their alternating step."""
