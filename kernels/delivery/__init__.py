"""Delivery to a client's site: what is built here runs there, without this platform or a network.

`archive` writes an environment that unpacks anywhere; `image` one that a container engine loads;
`bundle` everything another Perijove needs to build the same, and `receive` takes it in over there.
All of them start from a version that was built and checked (`tree`), and give the same bytes for
the same version. `onsite` is what an archive brings along to run at the client's.
"""
