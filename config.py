"""pyinfra's own settings; pyinfra reads this file from the directory it is started in."""

from pyinfra import config

# What the operations rely on was read in 3.10's sources.
config.REQUIRE_PYINFRA_VERSION = "~=3.10"

# Files on their way to a host must not lie under predictable names in /tmp. root's home exists on every Debian and is
# root's alone; hosts are reached as root.
config.TEMP_DIR = "/root"
