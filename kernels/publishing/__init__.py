"""Which versions people can choose, and which one a project's stable kernel means."""
