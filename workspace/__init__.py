"""What runs inside a user's own Jupyter server.

Mounted alone into every workspace, so it knows nothing of the hub, the engines or the builder: it
imports the standard library, traitlets and Jupyter's own packages, and no other package of this
repository. It shows the store's kernels, opens notebooks with the kernel they mean, and leads
people from the read-only examples to their own copy.
"""
