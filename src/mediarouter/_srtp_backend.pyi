VARIABLE: str
backend: str
problems: dict[str, str]

def available() -> list[str]: ...
