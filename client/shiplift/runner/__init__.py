"""The local runner: takes stages from a server, runs their steps on this machine, and reports.

It stands on the public client alone: whoever wants another runner finds in it how one is made.
"""
