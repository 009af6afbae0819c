"""What befalls a training example at random, one thing a file."""
