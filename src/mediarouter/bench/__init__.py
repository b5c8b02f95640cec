"""Benchmarks that a stranger can run: `mediarouter bench NAME`."""
