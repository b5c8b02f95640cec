DTLS: int
ICE_SELECTED: int
CONSENT_LOST: int
LAYERS: int
KEY_FRAME_ASKED: int
ENCODING_SEEN: int
BYE: int
ICE_RESTARTED: int
WANTED: int

def read_events(records: bytes | bytearray | memoryview) -> list[tuple[int, int, int, int, bytes]]: ...
