"""Who may do what on a server: the rights of a plugin, of the consumers, and of readers.

`rights` gives them as words of `ACL SETUSER`. The script that appends is what a plugin needs the
writing commands for, as a server looks at the commands within a script, too.
"""

from __future__ import annotations

from typing import Literal

Role = Literal["plugin", "consumer", "reader"]

_CONNECTED = ("+ping", "+hello", "+auth", "+quit", "+select", "+client|setinfo", "+client|setname")
_READING = ("+hget", "+hmget", "+exists", "+time", "+info", "+xrange", "+xrevrange", "+xread",
            "+xlen", "+xinfo|stream")  # fmt: skip
_APPENDING = ("+eval", "+evalsha", "+hset", "+xadd", "+xdel", "+xsetid")
_PROJECTING = ("+get", "+hdel", "+hgetall", "+rename", "+scan", "+set", "+type", "+unlink",
               "+pexpire", "+xtrim", "+xgroup|create", "+xgroup|setid")  # fmt: skip


def rights(role: Role, namespace: str) -> list[str]:
    """Return the rights of a role in the namespaces that match a pattern, as `synapse` or `*`.

    A plugin appends to jobs and reads; of `config` it only reads, so a consumer founds the
    deployment. Consumers do all that is done: append, project, trim. Readers write nothing.
    """
    if role == "reader":
        return [f"%R~{namespace}:*", "-@all", *_CONNECTED, *_READING]
    if role == "consumer":
        return [f"~{namespace}:*", "-@all", *_CONNECTED, *_READING, *_APPENDING, *_PROJECTING]
    written = (f"~{namespace}:{{*}}:{name}" for name in ("job:*", "producers:*", "feed"))
    return [*written, f"%R~{namespace}:*", "-@all", *_CONNECTED, *_READING, *_APPENDING]
