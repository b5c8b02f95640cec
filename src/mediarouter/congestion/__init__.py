"""Congestion control: what a transport's network carries. Transport-wide feedback so far."""

from mediarouter.congestion._twcc import TwccRecorder

__all__ = ["TwccRecorder"]
