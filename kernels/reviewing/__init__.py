"""What is wrong with a lock, as `perijove check` finds it, with advisories in the OSV format."""
