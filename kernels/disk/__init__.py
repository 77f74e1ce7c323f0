"""What the store takes, what still fits, and what nobody needs any more."""
