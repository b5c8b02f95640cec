"""An SFU core to embed in a Python service: it routes RTP, the service keeps rooms, users and signalling."""
