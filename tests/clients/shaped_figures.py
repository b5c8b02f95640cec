"""What a call over a changing link amounts to, from samples of the link and from what its viewer tells."""

from typing import Any

STEPS = ((4_000_000, 8), (600_000, 8), (2_500_000, 8), (10_000_000, 6))  # capacity in bit/s, seconds
SETTLED_S = 3  # after a step
TOP_SPATIAL, ALL_TEMPORAL = 2, 2
Samples = list[dict[str, Any]]


def figures(samples: Samples, seen: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """All of them.

    Args:
        samples: in time; "at" in seconds from the first step, "step" counted from 0.
        seen: the viewer's inbound streams before the first step and after each.
    """
    parts = [[s for s in samples if s["step"] == step] for step in range(len(STEPS))]
    found: dict[str, Any] = {
        "use": [_use(part, 0) for part in parts],
        "settled_use": [_use(part, SETTLED_S) for part in parts],
        "queue_p95_ms": _percentile([_queue_ms(s) for s in samples], 95),
        "queue_p95_ms_by_step": [_percentile([_queue_ms(s) for s in part], 95) for part in parts],
        "dropped": [part[-1]["dropped"] - part[0]["dropped"] for part in parts],
    }
    found |= _played(seen)
    if "in_use_bps" in samples[0]:
        found |= _followed(parts)
    return found


def _use(part: Samples, skip_s: float) -> float:
    kept = [s for s in part if s["at"] >= part[0]["at"] + skip_s]
    seconds = kept[-1]["at"] - kept[0]["at"]
    return round((kept[-1]["sent"] - kept[0]["sent"]) * 8 / seconds / kept[0]["rate"], 3)


def _queue_ms(sample: dict[str, Any]) -> float:
    return sample["backlog"] * 8000 / sample["rate"]


def _percentile(values: list[float], share: int) -> float:
    return round(sorted(values)[len(values) * share // 100], 1)


def _played(seen: list[list[dict[str, Any]]]) -> dict[str, Any]:
    def total(streams: list[dict[str, Any]], name: str, kind: str) -> float:
        return sum(s.get(name, 0) for s in streams if s["kind"] == kind)

    def grown(name: str, kind: str) -> list[float]:
        totals = [total(streams, name, kind) for streams in seen]
        return [round(b - a, 3) for a, b in zip(totals, totals[1:], strict=False)]

    freezes = grown("totalFreezesDuration", "video")
    concealed, samples = grown("concealedSamples", "audio"), grown("totalSamplesReceived", "audio")
    return {
        "freezes_s": round(sum(freezes), 3),
        "freezes_s_by_step": freezes,
        "concealed": round(sum(concealed) / max(1, sum(samples)), 4),
        "concealed_by_step": [round(c / max(1, s), 4) for c, s in zip(concealed, samples, strict=True)],
        "frames_a_second": [
            round(frames / seconds / 3, 1)
            for frames, (_, seconds) in zip(grown("framesDecoded", "video"), STEPS, strict=True)
        ],
        "widths": [[s.get("frameWidth", 0) for s in streams if s["kind"] == "video"] for streams in seen],
    }


def _followed(parts: list[Samples]) -> dict[str, Any]:
    # seconds from a step until our side did what it calls for; None: it never did
    _, narrow, wide, open_ = parts
    before = wide[0]["current"]
    return {
        "targets_fit_s": _first(narrow, lambda s: s["in_use_bps"] <= s["rate"]),
        "next_layer_s": _first(wide, lambda s: sum(map(_height, s["current"])) > sum(map(_height, before))),
        "next_spatial_s": _first(wide, lambda s: any(a[0] > b[0] for a, b in zip(s["current"], before, strict=True))),
        "next_after_open_s": _first(
            open_, lambda s: sum(map(_height, s["current"])) > sum(map(_height, open_[0]["current"]))
        ),
        "top_s": _first(
            open_, lambda s: all(_height(layers) >= TOP_SPATIAL * 10 + ALL_TEMPORAL for layers in s["current"])
        ),
        "probes": [part[-1]["probes"] - part[0]["probes"] for part in parts],
        "probe_packets": [part[-1]["probe_packets"] - part[0]["probe_packets"] for part in parts],
    }


def _height(layers: list[int] | tuple[int, int]) -> int:
    spatial, temporal = layers
    return spatial * 10 + min(temporal, ALL_TEMPORAL)


def _first(part: Samples, done: Any) -> float | None:
    for sample in part:
        if done(sample):
            return round(sample["at"] - part[0]["at"], 3)
    return None
