"""Views of other packages: they have all that ours have, and what they do wrong costs them only."""
