"""The `shiplift` command."""
