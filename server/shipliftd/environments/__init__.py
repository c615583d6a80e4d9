"""Environments: what is in each, what is on its way there, and where nobody knows.

Start reading in `deployments.py`.
"""
