offset = 1
