"""The version of this code, as installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("espalier-nas")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+unknown"
