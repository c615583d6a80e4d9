"""Messages and stubs of the API, generated from `protos/` by `make protos`."""
