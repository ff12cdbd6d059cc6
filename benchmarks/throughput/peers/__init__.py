"""Peers' loaders, each a program of its own that an environment of theirs runs; none imports detaug."""
