"""Congestion control: what a transport's network carries. Transport-wide feedback so far."""

from mediarouter.congestion._twcc import TwccRecorder, parse_feedback

__all__ = ["TwccRecorder", "parse_feedback"]
