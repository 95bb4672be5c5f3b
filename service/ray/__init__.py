"""The service as replicas of a Ray Serve deployment. Needs the extra `ray`."""
