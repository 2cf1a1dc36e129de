"""Build the C core.  Everything else is in pyproject.toml."""

import sysconfig

from setuptools import setup

# A free-threaded Python has no stable ABI: its wheel is for its own version alone.
free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["csrc/build_ffi.py:ffibuilder"],
    options={} if free_threaded else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
