"""Reading and checking folders of clips, and the arrays that models learn from."""
