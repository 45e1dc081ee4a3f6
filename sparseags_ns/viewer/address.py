"""The address on which the viewer listens, and how to open it.

There is no password: whoever reaches the viewer can look and press buttons. So it listens on this machine only, unless
a host is named.
"""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from nerfstudio.configs.base_config import ViewerConfig

from sparseags_ns.console import announce, warn

LOCAL = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::", "")


def local_unless_named(settings: ViewerConfig, arguments: Sequence[str]) -> ViewerConfig:
    """Viewer settings that listen on this machine only, unless the arguments name a host.

    ns-viewer replaces a run's settings by its own, whose default is the whole network; only the arguments show whether
    that was asked for.
    """
    named = any(one.replace("_", "-").startswith(("--viewer.websocket-host", "--host")) for one in arguments)
    if named or settings.websocket_host not in EVERYWHERE:
        return settings
    return replace(settings, websocket_host=LOCAL)


def command_line() -> Sequence[str]:
    """The arguments of this process."""
    return sys.argv[1:]


def announce_address(host: str, port: int) -> None:
    """Print in one line how to open the viewer, from this machine and from elsewhere."""
    if host in EVERYWHERE:
        where = f"http://{socket.gethostname()}:{port}"
        warn(f"viewer: {where}, open to the whole network", "whoever reaches it can look and press buttons")
        return
    announce(f"viewer: http://{host}:{port}", f"from elsewhere: {tunnel(host, port)}, then open it there")


def tunnel(host: str, port: int) -> str:
    """The ssh command that makes the viewer reachable from another machine."""
    return f"ssh -N -L {port}:{host}:{port} {_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "USER"
