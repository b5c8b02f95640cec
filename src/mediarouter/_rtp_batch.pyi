from typing import Any

import numpy
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Buffer

BATCH_DTYPE: numpy.dtype[numpy.void]

def parse_batch(buffer: Buffer, offsets: ArrayLike, sizes: ArrayLike | None = None) -> NDArray[Any]: ...
def parse_times(data: bytes, times: int) -> int: ...
