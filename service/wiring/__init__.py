"""How a service is put together from its settings."""
