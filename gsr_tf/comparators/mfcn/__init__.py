"""MFCN: a fully convolutional network that learns surfaces and edges (Salloum, Ren and Kuo, JVCIR 2018)."""
