"""The book's colours: Okabe and Ito's palette, safe for colour-blind readers, and two greys."""

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
PINK = "#CC79A7"
RED = "#D55E00"
SKY = "#56B4E9"
BLACK = "#000000"
GREY = "#777777"
PALE = "#E8F1F8"  # fills the boxes of a diagram
