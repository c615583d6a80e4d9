"""What a server counts and measures, and the listener where Prometheus asks for it.

Only a server that is told of `--metrics` imports it. Start reading in `measures.py`: each metric is there.
"""
