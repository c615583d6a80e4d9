"""A stage as it is made, offered, leased, reported on and followed, and the logs of its steps.

`builds` and `environments` come before it; of it they use what stands here. Start reading in
`leases.py`, then `flow.py`: how a stage that ends moves its build on.
"""
