NAMES: tuple[str, ...]
COUNT: int
