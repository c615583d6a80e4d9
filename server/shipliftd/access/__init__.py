"""Who calls and what they may do: the guard; repositories, users, tokens, grants; the audit, request_id.

Every room but `store`, `pipelines` and `gateway` may import it. Start reading in `guard.py`, which
decides by who calls (`callers.py`) and what they may do there (`reach.py`).
"""
