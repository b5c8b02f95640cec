from typing import Literal, final

@final
class LayerSelectorFace:
    @property
    def target(self) -> tuple[int, int]: ...
    @property
    def current(self) -> tuple[int, int]: ...
    @property
    def wants_key_frame(self) -> bool: ...
    def prefer(self, spatial: int, temporal: int) -> None: ...
    def update_target(self, alive: int) -> bool: ...
    def judge(
        self,
        encoding: int,
        *,
        key_frame: bool = ...,
        frame_start: bool = ...,
        temporal_layer: int = ...,
        layer_sync: bool = ...,
        new_picture: bool = ...,
        key_frames: bool = ...,
    ) -> Literal["send", "skip", "other", "switch"]: ...
    def reset(self) -> None: ...
