"""Pieces for tests and benchmarks of services that embed mediarouter."""
