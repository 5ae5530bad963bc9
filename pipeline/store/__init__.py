"""The results folder: its rows, its files, how they are written, and what is damaged of them."""
