"""Requests in, answers out: the only part of the service that knows HTTP."""
