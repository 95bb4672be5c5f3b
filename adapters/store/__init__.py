"""Adapters on disk: the artifact, its checks, versions and labels."""
