"""EXIF-consistency: whether two patches can be of one photograph (Huh, Liu, Owens and Efros, ECCV 2018)."""
