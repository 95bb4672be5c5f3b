"""The families of formula pictures: a file for each kind of drawing, and what all of them stand on."""
