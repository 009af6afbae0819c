"""What a person gets for their pictures: inputs, answers, files, overviews."""
