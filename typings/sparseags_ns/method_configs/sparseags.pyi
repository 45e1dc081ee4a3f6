# Tells pyright, which does not know setuptools' package-dir, where this module lies. Nothing runs or installs it.
from method_configs.sparseags import *  # noqa: F403
