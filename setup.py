"""Compile the Cython modules; everything else about the package is in pyproject.toml.

Switches, all off unless set in the environment:
    MEDIAROUTER_DEBUG=1      bounds, overflow and None checks on, no optimisation
    MEDIAROUTER_TRACE=1      line tracing, for coverage of the compiled modules
    MEDIAROUTER_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer
    MEDIAROUTER_FUZZ=1       the loops of the fuzz targets instead of the package; they are not shipped
    MEDIAROUTER_ANNOTATE=1   one HTML page a module that shows where Python is called
    MEDIAROUTER_ONLY=a,b     just the modules with these names
    MEDIAROUTER_JOBS=1       compilers at a time; as many as there are processors by default
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup


def switched_on(name):
    return os.environ.get(f"MEDIAROUTER_{name}", "") not in ("", "0")


DEBUG, TRACE, SANITIZE = switched_on("DEBUG"), switched_on("TRACE"), switched_on("SANITIZE")
JOBS = int(os.environ.get("MEDIAROUTER_JOBS", os.cpu_count() or 1))
ONLY = [name for name in os.environ.get("MEDIAROUTER_ONLY", "").split(",") if name]

compile_args = ["-fsigned-char", "-Wall", "-Wno-unused-function", "-Wno-sign-compare", "-Wno-discarded-qualifiers"]
compile_args += ["-O0", "-g"] if DEBUG else ["-O1", "-g"] if SANITIZE else ["-O2"]
link_args = []
if SANITIZE:
    sanitizers = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
    compile_args += sanitizers
    link_args += sanitizers

directives = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": not DEBUG,
    "overflowcheck": False,
    "embedsignature": True,
    "auto_pickle": False,
    "linetrace": TRACE,
}

headers = [str(path) for path in sorted(Path("src").rglob("*.pxd"))]
source_root, sources = Path("src"), "**/*.pyx"
if switched_on("FUZZ"):
    headers += [str(path) for path in sorted(Path("fuzz").glob("*.pxd"))]
    source_root, sources = Path(), "fuzz/*.pyx"
extensions = [
    Extension(
        ".".join(path.relative_to(source_root).with_suffix("").parts),
        [str(path)],
        depends=headers,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        define_macros=[("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1")] if TRACE else [],
    )
    for path in sorted(source_root.glob(sources))
    if not ONLY or path.stem in ONLY
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=directives,
        annotate=switched_on("ANNOTATE"),
        nthreads=JOBS if JOBS > 1 else 0,
        include_path=["src", "."],
    ),
    options={"build_ext": {"parallel": JOBS}},
)
