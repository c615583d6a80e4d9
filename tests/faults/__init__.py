"""What goes wrong with processes, disks, clocks, callers and requests, and what of it costs nothing.

Each test has a short form, for every day, and a long one by `make faults`, which sets
`SHIPLIFT_FAULTS=long`; each says in a line what it tried and what was lost.
"""
