"""Where the viewer listens, and how to open it.

Whoever reaches the viewer may look and press buttons: there is no password. So it listens to this machine only, unless
someone asks for more.
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


def kept_local(settings: ViewerConfig, arguments: Sequence[str]) -> ViewerConfig:
    """Settings that ns-viewer puts in place of a run's own, listening to this machine unless the arguments name a host.

    ns-viewer's own default is the whole network, and it does not tell what was asked for from what was not.
    """
    named = any(one.replace("_", "-").startswith(("--viewer.websocket-host", "--host")) for one in arguments)
    if named or settings.websocket_host not in EVERYWHERE:
        return settings
    return replace(settings, websocket_host=LOCAL)


def command_line() -> Sequence[str]:
    """The arguments of this process."""
    return sys.argv[1:]


def tell_address(host: str, port: int) -> None:
    """Say in one line how to open the viewer, from here and from elsewhere."""
    if host in EVERYWHERE:
        where = f"http://{socket.gethostname()}:{port}"
        warn(f"viewer: {where}, open to the whole network", "whoever reaches it may look and press buttons")
        return
    announce(f"viewer: http://{host}:{port}", f"from elsewhere: {tunnel(host, port)}, then open it there")


def tunnel(host: str, port: int) -> str:
    """The command that makes the viewer appear on another machine, through ssh."""
    return f"ssh -N -L {port}:{host}:{port} {_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "USER"
