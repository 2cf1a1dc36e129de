"""Build the C core.  Everything else is in pyproject.toml."""

import sysconfig

from setuptools import setup

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise SystemExit(
        "tcp-syncache uses the stable ABI, which a free-threaded Python has not: "
        "take the Python of the same version with the GIL"
    )

setup(
    cffi_modules=["csrc/build_ffi.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
