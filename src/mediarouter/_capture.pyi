from typing import Any

import numpy
from numpy.typing import NDArray
from typing_extensions import Buffer

COUNTS: tuple[str, ...]
DATAGRAM_DTYPE: numpy.dtype[numpy.void]

def datagrams(buffer: Buffer, /) -> tuple[NDArray[Any], dict[str, int], bool]: ...
