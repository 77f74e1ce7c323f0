"""How fast it is, against others that do the same here; `make bench`."""
