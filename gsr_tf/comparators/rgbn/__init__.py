"""RGB-N: regions in boxes, found by colours and by noise (Zhou et al., CVPR 2018)."""
