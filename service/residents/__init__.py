"""Which adapters the service knows, holds in memory and has refused."""
