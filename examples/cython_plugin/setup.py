"""Build it: `python setup.py build_ext --inplace`, with mediarouter and Cython installed."""

from Cython.Build import cythonize
from setuptools import Extension, setup

# cimports find mediarouter's .pxd files on sys.path; there are no C headers to include
setup(name="loudness", ext_modules=cythonize([Extension("loudness", ["loudness.pyx"])]))
