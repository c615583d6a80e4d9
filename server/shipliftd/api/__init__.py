"""The gRPC side: interceptors, a servicer for each service, messages made of rows, the inner channel.

The wiring imports it; `gateway` its channel and descriptors alone. Start reading in `interceptors.py`,
then in `services/builds.py`.
"""
