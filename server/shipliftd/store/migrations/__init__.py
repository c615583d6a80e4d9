"""Numbered migrations, each with frozen models of its own; `schema.py` applies them."""
