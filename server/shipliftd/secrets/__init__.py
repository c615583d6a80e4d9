"""Secrets at rest: master keys, sealing, and what is there for a build.

Start reading in `sealing.py`. What is done with values once they are open is the business of who asks for
them here.
"""
